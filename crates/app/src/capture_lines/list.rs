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

#[cfg(test)]
mod tests {
    use super::{super::Found, *};

    async fn read(path: &Path) -> Result<Vec<(u64, String)>, String> {
        let mut list = List::open(path).await?;
        let mut seen = Vec::new();
        while let Some(lines) = list.next().await? {
            assert!(lines.len() < 10 * SLICE, "{}", lines.len());
            seen.extend(lines.into_iter().map(|(line, found)| {
                let text = match found {
                    Found::Capture(capture) => capture.url,
                    Found::File(path, _) => path.display().to_string(),
                    Found::Rejected(why) | Found::Warning(why) => format!("!{why}"),
                };
                (line, text)
            }));
        }
        Ok(seen)
    }

    #[tokio::test]
    async fn files_are_found_beside_the_list_by_path_or_uri() {
        let dir = tempfile::tempdir().unwrap();
        let photo = dir.path().join("night 1/#2 é.jpg");
        std::fs::create_dir(photo.parent().unwrap()).unwrap();
        std::fs::write(&photo, b"x").unwrap();
        let raw = photo.to_str().unwrap();
        let encoded = raw.replace(' ', "%20").replace('#', "%23").replace('é', "%C3%A9");
        let list = dir.path().join("list.csv");
        let text = format!(
            "path;url\nx;night 1/#2 é.jpg\nx;file://{encoded}\nx;file://{raw}\nx;{raw}\nx;https://h/1.jpg\nx;gone.jpg\nx;what is this\n"
        );
        std::fs::write(&list, text).unwrap();
        let seen = read(&list).await.unwrap();
        for (line, text) in &seen[..4] {
            assert_eq!(text, raw, "line {line}");
        }
        assert_eq!(seen[4], (6, "https://h/1.jpg".to_owned()));
        assert_eq!(seen[5].1, dir.path().join("gone.jpg").to_str().unwrap());
        assert!(
            seen[6]
                .1
                .starts_with("!`what is this` is neither a URL nor a file"),
            "{seen:?}"
        );
    }

    #[tokio::test]
    async fn a_long_list_comes_in_slices_and_what_stands_before_an_error_is_handed_on() {
        let dir = tempfile::tempdir().unwrap();
        let list = dir.path().join("list");
        let mut text: String = (0..20_000).map(|n| format!("\"http://h/{n}\",")).collect();
        text.insert(0, '[');
        std::fs::write(&list, &text).unwrap();
        let mut open = List::open(&list).await.unwrap();
        let mut seen = 0;
        let end = loop {
            match open.next().await {
                Ok(Some(lines)) => seen += lines.len(),
                end => break end,
            }
        };
        assert_eq!(
            (seen, end),
            (20_000, Err("the list breaks off in item 20001".to_owned()))
        );
        text.pop();
        text.push(']');
        std::fs::write(&list, &text).unwrap();
        assert_eq!(read(&list).await.unwrap().len(), 20_000);
        assert!(List::open(dir.path()).await.unwrap_err().contains("is a folder"));
        assert!(List::open(&dir.path().join("gone")).await.is_err());
    }
}
