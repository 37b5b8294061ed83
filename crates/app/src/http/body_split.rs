//! Cuts the body of a result post into its items as it arrives, so that memory is bounded by one item whatever the
//! body. It knows only where values begin and end; what an item says is parsed elsewhere, alone.

use super::mend::{Replace, mend};

/// What stands before a body as editors write it, and is no part of it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What is kept of an item over its bound: enough to find its receipt.
const HEAD_BYTES: usize = 4 << 10;

/// A key of the body is never kept beyond this.
const KEY_BYTES_MAX: usize = 256;

/// An item of `results`, in the order of the body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// Its bytes: one JSON value, perhaps not a valid one.
    Whole(Vec<u8>),
    /// It has more bytes than one item may have; these are its first, the rest was passed over.
    TooLarge(Vec<u8>),
}

/// Why a body is not a post of results.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// `results` is missing.
    NoResults,
    /// The body is a list, or another value than an object.
    NotAnObject(&'static str),
    /// `results` is no list.
    NotAList(&'static str),
    /// No JSON at this byte.
    Syntax(u64),
    /// It ends in the middle.
    BrokeOff,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Start,
    /// Before a key, or the closing brace.
    Key {
        first: bool,
    },
    KeyText,
    Colon,
    /// Before a value of the key.
    Value,
    /// In a value that is passed over.
    Skipping,
    /// After a value: a comma or the closing brace.
    AfterValue,
    /// Before an item, or the closing bracket.
    BeforeItem {
        first: bool,
    },
    InItem,
    AfterItem,
    End,
}

/// Follows one value to its end.
#[derive(Clone, Copy, Debug, Default)]
struct Scan {
    depth: usize,
    string: bool,
    escape: bool,
    bare: bool,
    /// Whether any escape names a code unit: only such a text can hold what must be mended.
    units: bool,
}

enum Step {
    /// The byte belongs to the value, which goes on.
    More,
    /// The byte is the value's last.
    Last,
    /// The value ended before this byte.
    Before,
}

impl Scan {
    fn step(&mut self, byte: u8) -> Step {
        if self.string {
            match byte {
                _ if self.escape => {
                    self.escape = false;
                    self.units |= byte == b'u';
                }
                b'\\' => self.escape = true,
                b'"' => {
                    self.string = false;
                    return if self.depth == 0 { Step::Last } else { Step::More };
                }
                _ => {}
            }
            return Step::More;
        }
        match byte {
            b'"' if !self.bare || self.depth > 0 => self.string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                if self.depth == 0 {
                    return Step::Before;
                }
                self.depth -= 1;
                return if self.depth == 0 { Step::Last } else { Step::More };
            }
            b',' | b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 => return Step::Before,
            _ if self.depth == 0 => self.bare = true,
            _ => {}
        }
        Step::More
    }
}

/// The cutter. Feed it chunks, take the items.
pub(super) struct Splitter {
    at: At,
    scan: Scan,
    key: Vec<u8>,
    value: Vec<u8>,
    too_large: bool,
    seen_results: bool,
    offset: u64,
    /// How much of the byte order mark was passed over, or all of it if there is none.
    mark: usize,
    item_bytes_max: usize,
    /// Complete items, not yet taken.
    pub(super) items: std::collections::VecDeque<Item>,
}

impl Splitter {
    pub(super) fn new(item_bytes_max: usize) -> Self {
        Self {
            at: At::Start,
            scan: Scan::default(),
            key: Vec::new(),
            value: Vec::new(),
            too_large: false,
            seen_results: false,
            offset: 0,
            mark: 0,
            item_bytes_max,
            items: std::collections::VecDeque::new(),
        }
    }

    /// Takes the next bytes.
    pub(super) fn feed(&mut self, chunk: &[u8]) -> Result<(), Malformed> {
        let mut at = 0;
        while at < chunk.len() {
            at += match self.at {
                At::InItem | At::Skipping => self.in_value(&chunk[at..])?,
                _ => {
                    self.structure(chunk[at])?;
                    1
                }
            };
        }
        self.offset += chunk.len() as u64;
        Ok(())
    }

    /// The body has ended.
    pub(super) fn finish(&self) -> Result<(), Malformed> {
        match self.at {
            At::End if self.seen_results => Ok(()),
            At::End => Err(Malformed::NoResults),
            At::Start => Err(Malformed::NoResults),
            _ => Err(Malformed::BrokeOff),
        }
    }

    /// Passes over as much of a value as there is; keeps its bytes if they are wanted.
    fn in_value(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut taken = bytes.len();
        let mut ended = false;
        for (i, byte) in bytes.iter().enumerate() {
            match self.scan.step(*byte) {
                Step::More => continue,
                Step::Last => taken = i + 1,
                Step::Before => taken = i,
            }
            ended = true;
            break;
        }
        if self.at == At::InItem && !self.too_large {
            if self.value.len() + taken > self.item_bytes_max {
                self.too_large = true;
                self.value.extend_from_slice(&bytes[..taken.min(HEAD_BYTES)]);
                self.value.truncate(HEAD_BYTES);
                self.value.shrink_to_fit();
            } else {
                self.value.extend_from_slice(&bytes[..taken]);
            }
        }
        if ended {
            let mut value = std::mem::take(&mut self.value);
            if self.scan.units {
                mend(&mut value, Replace::SurrogatesAndNul);
            }
            if self.at == At::InItem {
                self.items.push_back(if self.too_large {
                    Item::TooLarge(value)
                } else {
                    Item::Whole(value)
                });
                self.at = At::AfterItem;
            } else {
                self.at = At::AfterValue;
            }
        }
        Ok(taken)
    }

    fn begin(&mut self, at: At) {
        self.at = at;
        self.scan = Scan::default();
        self.value.clear();
        self.too_large = false;
    }

    fn structure(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.at == At::KeyText {
            return self.key_text(byte);
        }
        if let Some(expected) = BYTE_ORDER_MARK.get(self.mark) {
            match self.mark {
                _ if byte == *expected => {
                    self.mark += 1;
                    return Ok(());
                }
                0 => self.mark = BYTE_ORDER_MARK.len(),
                _ => return Err(self.syntax()),
            }
        }
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            return Ok(());
        }
        match (self.at, byte) {
            (At::Start, b'{') => self.at = At::Key { first: true },
            (At::Start, other) => return Err(Malformed::NotAnObject(kind(other).ok_or(self.syntax())?)),
            (At::Key { first: true } | At::AfterValue, b'}') => self.at = At::End,
            (At::Key { .. }, b'"') => {
                self.key.clear();
                self.scan = Scan {
                    string: true,
                    ..Scan::default()
                };
                self.at = At::KeyText;
            }
            (At::Colon, b':') => self.at = At::Value,
            (At::Value, b'[') if self.key == b"results" => {
                self.seen_results = true;
                self.at = At::BeforeItem { first: true };
            }
            (At::Value, other) if self.key == b"results" => {
                return Err(Malformed::NotAList(kind(other).ok_or(self.syntax())?));
            }
            (At::Value, other) => {
                kind(other).ok_or(self.syntax())?;
                self.begin(At::Skipping);
                self.in_value(&[other])?;
            }
            (At::AfterValue, b',') => self.at = At::Key { first: false },
            (At::BeforeItem { first: true } | At::AfterItem, b']') => self.at = At::AfterValue,
            (At::BeforeItem { .. }, b',' | b']' | b'}' | b':') => return Err(self.syntax()),
            (At::BeforeItem { .. }, other) => {
                self.begin(At::InItem);
                self.in_value(&[other])?;
            }
            (At::AfterItem, b',') => self.at = At::BeforeItem { first: false },
            _ => return Err(self.syntax()),
        }
        Ok(())
    }

    fn key_text(&mut self, byte: u8) -> Result<(), Malformed> {
        match self.scan.step(byte) {
            Step::Last => self.at = At::Colon,
            _ if self.key.len() < KEY_BYTES_MAX => self.key.push(byte),
            _ => return Err(self.syntax()),
        }
        Ok(())
    }

    fn syntax(&self) -> Malformed {
        Malformed::Syntax(self.offset)
    }
}

/// Upstream's word for a value, by its first byte.
fn kind(byte: u8) -> Option<&'static str> {
    Some(match byte {
        b'[' => "list",
        b'{' => "dict",
        b'"' => "str",
        b't' | b'f' => "bool",
        b'n' => "NoneType",
        b'-' | b'0'..=b'9' => "int",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
