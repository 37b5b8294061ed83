//! The commands that pages tell are there, with their options.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path);
        }
    }
    all
}

/// The commands of a template or of a source, from `>trapline` or `"trapline` to the end of the element or text.
fn commands(text: &str) -> Vec<String> {
    let starts = [(">trapline ", '<'), ("format!(\"trapline ", ')')];
    let of = |(start, end): (&'static str, char)| {
        text.split(start).skip(1).filter_map(move |rest| {
            let command = rest.split(end).next()?;
            Some(command.trim_end_matches('"').to_owned())
        })
    };
    starts.into_iter().flat_map(of).collect()
}

/// The words of a command, with a value for what a page fills in.
fn words(command: &str) -> Vec<String> {
    let filled = command
        .replace("{{ ", "{")
        .replace(" }}", "}")
        .replace(" ID", " 1");
    let mut words: Vec<String> = Vec::new();
    let mut is_quoted = false;
    for word in filled.split(' ') {
        match (is_quoted, words.last_mut()) {
            (true, Some(last)) => last.push_str(word),
            _ => words.push(word.to_owned()),
        }
        is_quoted ^= word.matches('"').count() % 2 == 1;
    }
    words
}

#[test]
fn every_command_that_a_page_tells_is_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut told = 0;
    for file in [root.join("templates"), root.join("src/ui")]
        .iter()
        .flat_map(|f| files(f))
    {
        for command in commands(&fs::read_to_string(&file).unwrap_or_default()) {
            // Help comes after what was read: an option that is not there is refused first.
            let said = Command::new(env!("CARGO_BIN_EXE_trapline"))
                .args(words(&command))
                .arg("--help")
                .env_clear()
                .output()
                .unwrap();
            assert!(
                said.status.success(),
                "{}: trapline {command}: {said:?}",
                file.display()
            );
            told += 1;
        }
    }
    assert!(told >= 8, "{told}");
}
