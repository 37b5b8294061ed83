//! Cuts a stream of bytes into the records of a CSV list. One record is held at a time, whatever the size of the list.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::{LINE_BYTES_MAX, too_long};

/// One record: its values, without their quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values<'a> {
    bytes: &'a [u8],
    /// Where each value ends.
    ends: &'a [usize],
}

impl<'a> Values<'a> {
    pub(super) fn len(self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(self, at: usize) -> Option<&'a [u8]> {
        let end = *self.ends.get(at)?;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.bytes.get(start..end)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        (0..self.len()).filter_map(move |at| self.get(at))
    }
}

/// The line in which a record begins, from 1, and the record, or why it is none.
pub(super) type Record<'a> = (u64, Result<Values<'a>, String>);
type Sink<'s> = &'s mut dyn FnMut(Record<'_>);

/// Cuts a stream of bytes into records.
#[derive(Debug)]
pub(super) struct Records {
    core: Reader,
    delimiter: u8,
    /// The bytes of the record that is being read.
    raw: Vec<u8>,
    /// Its values so far.
    values: Vec<u8>,
    values_len: usize,
    ends: Vec<usize>,
    ends_len: usize,
    /// The line in which it began.
    begun: u64,
    /// The line that is being read.
    line: u64,
    after_cr: bool,
    /// The rest of a line that is too long is passed over.
    skipping: bool,
}

impl Records {
    pub(super) fn new(delimiter: u8) -> Self {
        Self {
            core: ReaderBuilder::new().delimiter(delimiter).build(),
            delimiter,
            raw: Vec::new(),
            values: vec![0; 4 << 10],
            values_len: 0,
            ends: vec![0; 64],
            ends_len: 0,
            begun: 1,
            line: 1,
            after_cr: false,
            skipping: false,
        }
    }

    /// The line that is being read.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, mut bytes: &[u8], record: Sink<'_>) {
        while !bytes.is_empty() {
            if self.raw.is_empty() {
                let skipped = self.skipping;
                bytes = self.between(bytes);
                if skipped || bytes.is_empty() {
                    continue;
                }
                self.begun = self.line;
            }
            // A part no longer than what may still be held, so that no record outgrows it unseen.
            let part = &bytes[..bytes.len().min(LINE_BYTES_MAX + 1 - self.raw.len())];
            let (used, whole) = self.read(part);
            self.raw.extend_from_slice(&part[..used]);
            self.count(&part[..used]);
            bytes = &bytes[used..];
            if whole {
                self.emit(record);
            } else if self.raw.len() > LINE_BYTES_MAX {
                self.overflow(record);
            }
        }
    }

    /// The bytes have ended.
    pub(super) fn finish(&mut self, record: Sink<'_>) {
        if self.raw.is_empty() {
            return;
        }
        // Within quotes this is a value like any other, and ends nothing.
        if self.read(b"\n").1 {
            self.emit(record);
        } else {
            let raw = std::mem::take(&mut self.raw);
            self.lines(&raw, record);
        }
    }

    /// Passes over what stands between records: line ends, and the rest of a line that is too long.
    fn between<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let is_end = |b: &u8| matches!(b, b'\n' | b'\r');
        let at = if self.skipping {
            bytes.iter().position(is_end)
        } else {
            bytes.iter().position(|b| !is_end(b))
        };
        let (passed, rest) = bytes.split_at(at.unwrap_or(bytes.len()));
        self.count(passed);
        self.skipping &= at.is_none();
        rest
    }

    /// Counts the lines that end in these bytes.
    fn count(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.line += u64::from(byte == b'\r' || byte == b'\n' && !self.after_cr);
            self.after_cr = byte == b'\r';
        }
    }

    /// Reads on, to the end of the record or of the bytes; how many were used, and whether it ended.
    fn read(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut used = 0;
        // To csv-core, no bytes are the end of the list.
        while used < bytes.len() {
            let (values, ends) = (
                &mut self.values[self.values_len..],
                &mut self.ends[self.ends_len..],
            );
            let (result, n, out, end) = self.core.read_record(&bytes[used..], values, ends);
            used += n;
            self.values_len += out;
            self.ends_len += end;
            match result {
                ReadRecordResult::OutputFull => self.values.resize(self.values.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::InputEmpty | ReadRecordResult::End => return (used, false),
                ReadRecordResult::Record => return (used, true),
            }
        }
        (used, false)
    }

    fn emit(&mut self, record: Sink<'_>) {
        let raw = std::mem::take(&mut self.raw);
        let text = raw
            .strip_suffix(b"\n")
            .or(raw.strip_suffix(b"\r"))
            .unwrap_or(&raw);
        let lines = text.iter().any(|b| matches!(b, b'\n' | b'\r'));
        if lines && !well_quoted(text, self.delimiter) {
            self.lines(text, record);
        } else {
            record((self.begun, Ok(self.held())));
        }
        self.restart(raw);
    }

    fn held(&self) -> Values<'_> {
        Values {
            bytes: &self.values[..self.values_len],
            ends: &self.ends[..self.ends_len],
        }
    }

    /// Begins the next record; the memory of the last one is used again.
    fn restart(&mut self, mut raw: Vec<u8>) {
        raw.clear();
        self.raw = raw;
        self.values_len = 0;
        self.ends_len = 0;
    }

    /// A record is longer than what is held.
    fn overflow(&mut self, record: Sink<'_>) {
        let raw = std::mem::take(&mut self.raw);
        self.core.reset();
        let Some(last) = raw.iter().rposition(|b| matches!(b, b'\n' | b'\r')) else {
            record((self.begun, Err(too_long())));
            self.skipping = true;
            return self.restart(raw);
        };
        self.lines(&raw[..last], record);
        self.restart(Vec::new());
        self.begun = self.line;
        self.read(&raw[last + 1..]);
        self.raw.extend_from_slice(&raw[last + 1..]);
    }

    /// Reads the lines of a record alone, because a quote in it was not closed where it should have been: that costs
    /// its line, not the ones after it.
    fn lines(&mut self, raw: &[u8], record: Sink<'_>) {
        let mut line = self.begun;
        let mut rest = raw;
        while !rest.is_empty() {
            let end = rest.iter().position(|b| matches!(b, b'\n' | b'\r'));
            let (text, after) = rest.split_at(end.unwrap_or(rest.len()));
            rest = after.strip_prefix(b"\r\n").or(after.get(1..)).unwrap_or_default();
            self.core.reset();
            self.values_len = 0;
            self.ends_len = 0;
            self.read(text);
            if self.read(b"\n").1 {
                record((line, Ok(self.held())));
            } else if !text.is_empty() {
                record((line, Err("a quote is opened and not closed".to_owned())));
            }
            line += 1;
        }
        self.core.reset();
        self.restart(Vec::new());
    }
}

/// Whether each quote that closes a value stands at the value's end. What is read of others is a guess, and over several
/// lines it hides records.
fn well_quoted(text: &[u8], delimiter: u8) -> bool {
    #[derive(Clone, Copy)]
    enum At {
        Start,
        Plain,
        Quoted,
        Closed,
    }
    let mut at = At::Start;
    for &byte in text {
        at = match (at, byte) {
            (At::Start | At::Closed, b'"') => At::Quoted,
            (At::Quoted, b'"') => At::Closed,
            (At::Quoted, _) => At::Quoted,
            (At::Start | At::Plain | At::Closed, b) if b == delimiter => At::Start,
            (At::Closed, _) => return false,
            (At::Start | At::Plain, _) => At::Plain,
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, chunk: usize) -> Vec<String> {
        let mut seen = Vec::new();
        let mut record = |(line, record): Record<'_>| {
            seen.push(match record {
                Ok(values) => {
                    let values: Vec<_> = values.iter().map(String::from_utf8_lossy).collect();
                    format!("{line}:{}", values.join("|"))
                }
                Err(why) => format!("{line}!{why}"),
            });
        };
        let mut records = Records::new(b',');
        for bytes in text.as_bytes().chunks(chunk) {
            records.push(bytes, &mut record);
        }
        records.finish(&mut record);
        seen
    }

    #[test]
    fn records_are_the_same_however_the_bytes_are_cut_and_begin_in_their_line() {
        let text = "a,b\r\nc,\"d\r\ne\",\r\r\"f \"\"g\"\"\"\n\n,\nh\"i,\"\rj\"";
        for chunk in [1, 2, 3, 100] {
            assert_eq!(
                cut(text, chunk),
                ["1:a|b", "2:c|d\r\ne|", "5:f \"g\"", "7:|", "8:h\"i|\rj"]
            );
        }
    }

    #[test]
    fn a_quote_that_is_not_closed_costs_its_line_and_hides_no_other() {
        let open = "a quote is opened and not closed";
        for chunk in [1, 7, 100] {
            assert_eq!(
                cut("a,\"b\nc,d\ne,f\n", chunk),
                [&format!("1!{open}"), "2:c|d", "3:e|f"]
            );
            assert_eq!(
                cut("a,\"b\r\nc,\"d\"\ne\n", chunk),
                [&format!("1!{open}"), "2:c|d", "3:e"]
            );
        }
        let long = format!("a,\"b\n{}z", "c,d\n".repeat(LINE_BYTES_MAX / 2));
        let seen = cut(&long, 1_000);
        assert_eq!(seen.len(), 2 + LINE_BYTES_MAX / 2);
        assert_eq!(seen[0], format!("1!{open}"));
        assert_eq!(seen.last().unwrap(), &format!("{}:z", seen.len()));
    }

    #[test]
    fn a_line_too_long_is_rejected_alone_and_many_values_are_held() {
        let values = "x,".repeat(1_000);
        let text = format!("a\n{}\nb\n{values}\n", "x".repeat(LINE_BYTES_MAX + 1));
        let seen = cut(&text, 1_000);
        assert_eq!(
            seen[..3],
            ["1:a".to_owned(), format!("2!{}", too_long()), "3:b".to_owned()]
        );
        assert_eq!(seen[3].len(), "4:".len() + values.len());
    }
}
