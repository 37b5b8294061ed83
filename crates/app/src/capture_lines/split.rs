//! Cuts a stream of bytes into records. One record is held at a time, whatever the size of the list.

use super::{LINE_BYTES_MAX, too_long};

/// One record of a list, or why it is none. The number counts from 1: lines, or items of a JSON list.
pub(super) type Record<'a> = (u64, Result<&'a [u8], String>);

/// Cuts a stream of bytes into records.
#[derive(Debug)]
pub(super) struct Splitter {
    how: How,
    held: Vec<u8>,
    overflown: bool,
    number: u64,
}

#[derive(Debug, PartialEq)]
enum How {
    /// A line ends with LF, CRLF or CR, also in one list.
    Lines { after_cr: bool },
    /// Inside a JSON list; `depth` counts the brackets that are open within the item.
    Items {
        depth: u32,
        in_string: bool,
        escaped: bool,
    },
    /// Before the list's bracket.
    BeforeItems,
    /// After the list's end.
    AfterItems,
}

impl Splitter {
    /// Records are lines.
    #[must_use]
    pub(super) fn lines() -> Self {
        Self::new(How::Lines { after_cr: false })
    }

    /// Records are the items of one JSON list.
    #[must_use]
    pub(super) fn json_list() -> Self {
        Self::new(How::BeforeItems)
    }

    fn new(how: How) -> Self {
        Self {
            how,
            held: Vec::new(),
            overflown: false,
            number: 0,
        }
    }

    /// How many records were begun.
    #[must_use]
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// A text if the list itself, not a record, is broken.
    pub(super) fn push(&mut self, bytes: &[u8], record: &mut dyn FnMut(Record<'_>)) -> Result<(), String> {
        if let How::Lines { after_cr } = self.how {
            self.lines_in(bytes, after_cr, record);
            return Ok(());
        }
        bytes.iter().try_for_each(|&byte| self.item_byte(byte, record))
    }

    fn lines_in(&mut self, bytes: &[u8], mut after_cr: bool, record: &mut dyn FnMut(Record<'_>)) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if after_cr {
                rest = rest.strip_prefix(b"\n").unwrap_or(rest);
                after_cr = false;
            }
            let Some(end) = rest.iter().position(|b| matches!(b, b'\n' | b'\r')) else {
                self.hold(rest);
                break;
            };
            self.hold(&rest[..end]);
            self.emit(record);
            after_cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
        }
        self.how = How::Lines { after_cr };
    }

    /// The bytes have ended.
    ///
    /// # Errors
    /// A text if the list has not.
    pub(super) fn finish(&mut self, record: &mut dyn FnMut(Record<'_>)) -> Result<(), String> {
        match self.how {
            How::Lines { .. } => {
                if !self.held.is_empty() || self.overflown {
                    self.emit(record);
                }
                Ok(())
            }
            How::AfterItems => Ok(()),
            How::BeforeItems => Err("expected a list".to_owned()),
            How::Items { .. } => Err(format!("the list breaks off in item {}", self.number + 1)),
        }
    }

    fn item_byte(&mut self, byte: u8, record: &mut dyn FnMut(Record<'_>)) -> Result<(), String> {
        let (depth, in_string, escaped) = match &mut self.how {
            How::Items {
                depth,
                in_string,
                escaped,
            } => (depth, in_string, escaped),
            _ if byte.is_ascii_whitespace() => return Ok(()),
            How::BeforeItems if byte == b'[' => {
                self.how = How::Items {
                    depth: 0,
                    in_string: false,
                    escaped: false,
                };
                return Ok(());
            }
            How::BeforeItems => return Err("expected a list".to_owned()),
            _ => return Err("there is more after the end of the list".to_owned()),
        };
        if *in_string {
            match byte {
                _ if *escaped => *escaped = false,
                b'\\' => *escaped = true,
                b'"' => *in_string = false,
                _ => {}
            }
        } else {
            match byte {
                b'"' => *in_string = true,
                b'{' | b'[' => *depth += 1,
                b'}' | b']' if *depth > 0 => *depth -= 1,
                b',' | b']' if *depth == 0 => return self.item_end(byte, record),
                _ => {}
            }
        }
        self.hold(&[byte]);
        Ok(())
    }

    fn item_end(&mut self, byte: u8, record: &mut dyn FnMut(Record<'_>)) -> Result<(), String> {
        let blank = !self.overflown && self.held.iter().all(u8::is_ascii_whitespace);
        let last = byte == b']';
        if last {
            self.how = How::AfterItems;
        }
        if blank && last && self.number == 0 {
            return Ok(());
        }
        if blank {
            return Err(format!("expected a value as item {}", self.number + 1));
        }
        self.emit(record);
        Ok(())
    }

    fn hold(&mut self, bytes: &[u8]) {
        if self.held.len() + bytes.len() > LINE_BYTES_MAX {
            self.overflown = true;
            self.held.clear();
        }
        if !self.overflown {
            self.held.extend_from_slice(bytes);
        }
    }

    fn emit(&mut self, record: &mut dyn FnMut(Record<'_>)) {
        self.number += 1;
        if self.overflown {
            record((self.number, Err(too_long())));
        } else {
            record((self.number, Ok(&self.held)));
        }
        self.held.clear();
        self.overflown = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(mut splitter: Splitter, text: &str, chunk: usize) -> Result<Vec<String>, String> {
        let mut seen = Vec::new();
        let mut record = |(n, r): Record<'_>| {
            seen.push(match r {
                Ok(bytes) => format!("{n}:{}", String::from_utf8_lossy(bytes).trim()),
                Err(why) => format!("{n}!{why}"),
            });
        };
        for bytes in text.as_bytes().chunks(chunk) {
            splitter.push(bytes, &mut record)?;
        }
        splitter.finish(&mut record)?;
        Ok(seen)
    }

    #[test]
    fn lines_are_the_same_however_the_bytes_are_cut() {
        for chunk in [1, 2, 3, 100] {
            assert_eq!(
                split(Splitter::lines(), "a\r\nbb\n\nc\rd\r\r\ne", chunk).unwrap(),
                ["1:a", "2:bb", "3:", "4:c", "5:d", "6:", "7:e"]
            );
        }
    }

    #[test]
    fn items_of_a_json_list_are_found_around_brackets_in_strings() {
        let text = r#" [ {"url": "a],\"[b", "x": [1, 2]} , "c" , 3 ] "#;
        for chunk in [1, 7, 100] {
            let items = split(Splitter::json_list(), text, chunk).unwrap();
            assert_eq!(items, [r#"1:{"url": "a],\"[b", "x": [1, 2]}"#, "2:\"c\"", "3:3"]);
        }
        assert!(split(Splitter::json_list(), "[]", 1).unwrap().is_empty());
        for broken in ["", "{}", "[1", "[1,]", "[,]", "[1] 2", "[\"a]"] {
            assert!(split(Splitter::json_list(), broken, 1).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_line_too_long_is_rejected_alone_and_not_held() {
        let text = format!("a\n{}\nb", "x".repeat(LINE_BYTES_MAX + 1));
        let seen = split(Splitter::lines(), &text, 1_000).unwrap();
        assert_eq!(
            seen,
            ["1:a".to_owned(), format!("2!{}", too_long()), "3:b".to_owned()]
        );
    }
}
