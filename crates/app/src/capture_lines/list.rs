//! A list of captures on this machine, read a slice at a time.

use std::{
    os::fd::AsFd as _,
    path::{Path, PathBuf},
};

use tokio::{fs::File, io::AsyncReadExt as _};

use super::{Files, Format, Line, Reader};

/// How much is read at a time.
const CHUNK: usize = 64 << 10;
/// So many lines are a slice; some have a few more.
const SLICE: usize = 1_000;

/// A list that is open: a file, or what another program writes.
#[derive(Debug)]
pub struct List {
    input: File,
    reader: Reader,
    buffer: Vec<u8>,
    /// How much of the buffer was read.
    used: usize,
    end: Option<Result<(), String>>,
}

impl List {
    /// Opens a file. Relative paths in it are those of files beside it.
    ///
    /// # Errors
    /// A text that says why it can't be read.
    pub async fn open(path: &Path) -> Result<Self, String> {
        let input = File::open(path).await.map_err(|e| e.to_string())?;
        if input.metadata().await.is_ok_and(|about| about.is_dir()) {
            return Err("it is a folder, not a list of captures".to_owned());
        }
        let path = std::path::absolute(path).map_err(|e| e.to_string())?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let format = Format::of_name(&name);
        Ok(Self::new(
            input,
            format,
            path.parent().unwrap_or(&path).to_owned(),
        ))
    }

    /// Reads standard input. Relative paths in it are those of files in the current folder.
    ///
    /// # Errors
    /// A text that says why it can't be read.
    pub fn stdin() -> Result<Self, String> {
        // As a file: the standard library's own buffer has nothing in it yet, and is not needed.
        let input = std::io::stdin().as_fd().try_clone_to_owned();
        let input = input.map_err(|e| e.to_string())?;
        let folder = std::env::current_dir().map_err(|e| e.to_string())?;
        Ok(Self::new(
            File::from_std(std::fs::File::from(input)),
            None,
            folder,
        ))
    }

    fn new(input: File, format: Option<Format>, folder: PathBuf) -> Self {
        Self {
            input,
            reader: Reader::new(format, Files::In(folder)),
            buffer: Vec::new(),
            used: 0,
            end: None,
        }
    }

    /// The next lines; `None` after the last ones.
    ///
    /// # Errors
    /// A text if the list itself, not a line of it, can't be read on. The lines before that were handed on.
    pub async fn next(&mut self) -> Result<Option<Vec<Line>>, String> {
        let mut lines = Vec::new();
        while lines.len() < SLICE && self.end.is_none() {
            let read = self.step(&mut lines).await;
            if !matches!(read, Ok(true)) {
                self.end = Some(read.map(|_| ()));
            }
        }
        match &self.end {
            Some(end) if lines.is_empty() => end.clone().map(|()| None),
            _ => Ok(Some(lines)),
        }
    }

    /// Reads a little further; `false` at the end.
    async fn step(&mut self, lines: &mut Vec<Line>) -> Result<bool, String> {
        let mut take = |line| lines.push(line);
        if self.used == self.buffer.len() {
            self.used = 0;
            self.buffer.resize(CHUNK, 0);
            let read = self.input.read(&mut self.buffer).await;
            let read = read.map_err(|e| e.to_string())?;
            self.buffer.truncate(read);
            if read == 0 {
                self.reader.finish(&mut take)?;
                return Ok(false);
            }
        }
        let part = self
            .reader
            .parts(&self.buffer[self.used..])
            .next()
            .unwrap_or_default();
        self.used += part.len();
        self.reader.push(part, &mut take)?;
        Ok(true)
    }
}
