//! Makes UTF-8 of what editors and spreadsheets write: UTF-16, and marks at the start of lines.

use std::borrow::Cow;

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_16BE, UTF_16LE, WINDOWS_1252};

const BOM: &[u8] = b"\xef\xbb\xbf";
/// As many bytes as show an encoding.
const HEAD: usize = 4;

/// What gives the text of a list.
pub(super) struct Decode {
    state: State,
    marks: Marks,
}

enum State {
    /// Too few bytes to know.
    Head(Vec<u8>),
    /// UTF-8, or what lines make of it.
    Bytes,
    Utf16(Decoder),
}

/// Removes the mark from the start of each line: files that begin with one are joined.
struct Marks {
    at_start: bool,
    /// How much of a mark was held back.
    held: usize,
}

impl std::fmt::Debug for Decode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decode").finish_non_exhaustive()
    }
}

impl Decode {
    pub(super) fn new() -> Self {
        let marks = Marks {
            at_start: true,
            held: 0,
        };
        Self {
            state: State::Head(Vec::new()),
            marks,
        }
    }

    /// Adds the text of the next bytes to `out`.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        match &mut self.state {
            State::Bytes => self.marks.pass(bytes, out),
            State::Utf16(decoder) => self.marks.pass(&utf16(decoder, bytes, false)?, out),
            State::Head(head) => {
                head.extend_from_slice(bytes);
                if head.len() >= HEAD {
                    return self.begin(out);
                }
            }
        }
        Ok(())
    }

    /// The bytes have ended.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        if let State::Head(_) = self.state {
            self.begin(out)?;
        }
        if let State::Utf16(decoder) = &mut self.state {
            self.marks.pass(&utf16(decoder, b"", true)?, out);
        }
        self.marks.finish(out);
        Ok(())
    }

    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        let State::Head(head) = &mut self.state else {
            return Ok(());
        };
        let head = std::mem::take(head);
        self.state = match encoding(&head)? {
            Some(encoding) => State::Utf16(encoding.new_decoder_without_bom_handling()),
            None => State::Bytes,
        };
        self.push(&head, out)
    }
}

/// UTF-16 by its mark, or, without one, by the zeros between letters; `None` for all else.
fn encoding(head: &[u8]) -> Result<Option<&'static Encoding>, String> {
    let ascii = |b: u8| b != 0 && b.is_ascii();
    match *head {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
            Err("the list is UTF-32, which is not understood; save it as UTF-8".to_owned())
        }
        [0xff, 0xfe, ..] => Ok(Some(UTF_16LE)),
        [0xfe, 0xff, ..] => Ok(Some(UTF_16BE)),
        [a, 0, b, 0, ..] if ascii(a) && ascii(b) => Ok(Some(UTF_16LE)),
        [0, a, 0, b, ..] if ascii(a) && ascii(b) => Ok(Some(UTF_16BE)),
        _ => Ok(None),
    }
}

fn utf16(decoder: &mut Decoder, bytes: &[u8], last: bool) -> Result<Vec<u8>, String> {
    let size = decoder.max_utf8_buffer_length(bytes.len()).unwrap_or_default();
    let mut text = vec![0; size];
    let (result, _, written, broken) = decoder.decode_to_utf8(bytes, &mut text, last);
    if broken || result != CoderResult::InputEmpty {
        return Err("the list begins as UTF-16 and does not go on as such; save it as UTF-8".to_owned());
    }
    text.truncate(written);
    Ok(text)
}

impl Marks {
    fn pass(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            if self.at_start && BOM[self.held] == byte {
                self.held = (self.held + 1) % BOM.len();
                rest = &rest[1..];
                continue;
            }
            self.finish(out);
            let end = rest.iter().position(|b| matches!(b, b'\n' | b'\r'));
            let (line, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
            out.extend_from_slice(line);
            self.at_start = end.is_some();
            rest = after;
        }
    }

    /// What was held back is no mark.
    fn finish(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&BOM[..self.held]);
        self.held = 0;
    }
}

/// The text of one value; bytes that are no UTF-8 are taken for Windows-1252, of which Latin-1 is a part. The second
/// says that they were.
pub(super) fn text(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), false),
        Err(_) => (WINDOWS_1252.decode_without_bom_handling(bytes).0, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8], chunk: usize) -> Result<String, String> {
        let (mut decode, mut out) = (Decode::new(), Vec::new());
        for part in bytes.chunks(chunk) {
            decode.push(part, &mut out)?;
        }
        decode.finish(&mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn units(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(order).collect()
    }

    #[test]
    fn marks_go_from_the_start_of_each_line_and_nothing_else_does() {
        let text = "\u{feff}a\n\u{feff}\u{feff}b\r\u{feff}c\r\n\u{feff}\u{fefe}d\u{feff}e\n\u{feff}";
        for chunk in [1, 2, 3, 100] {
            assert_eq!(
                decode(text.as_bytes(), chunk).unwrap(),
                "a\nb\rc\r\n\u{fefe}d\u{feff}e\n"
            );
            assert_eq!(decode(b"a", chunk).unwrap(), "a");
        }
    }

    #[test]
    fn utf_16_is_read_with_and_without_its_mark_however_the_bytes_are_cut() {
        let text = "url\näöü €\u{1f98b}\r\n";
        for chunk in [1, 2, 3, 5, 100] {
            for order in [u16::to_le_bytes, u16::to_be_bytes] {
                assert_eq!(decode(&units(text, order), chunk).unwrap(), text);
                let marked = units(&format!("\u{feff}{text}"), order);
                assert_eq!(decode(&marked, chunk).unwrap(), text);
                assert!(decode(&marked[..marked.len() - 1], chunk).is_err());
            }
        }
        assert!(decode(b"\xff\xfe\0\0u\0\0\0", 1).unwrap_err().contains("UTF-32"));
    }

    #[test]
    fn other_bytes_are_windows_1252() {
        assert_eq!(text("é".as_bytes()), ("é".into(), false));
        assert_eq!(text(b"K\xe4fer \x80"), ("Käfer €".into(), true));
    }
}
