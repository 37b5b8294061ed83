//! Counts the coded blocks of a sequential scan (ITU-T T.81, annexes C and F).

const COEFFICIENTS: u32 = 64;
/// Some cameras write a few bytes more than the picture needs, or fill up with zeros, before the end marker.
const EXTRA_BYTES_MAX: usize = 16;

/// A Huffman table: for every 16 bits that may come, the length of the code that they begin with, and its symbol.
pub(super) struct Table {
    codes: Box<[(u8, u8)]>,
}

impl Table {
    /// Reads one table and returns what follows it. None if it is cut off or has too many codes.
    pub(super) fn read(segment: &[u8]) -> Option<(Self, &[u8])> {
        let (counts, rest) = segment.split_at_checked(16)?;
        let total = counts.iter().map(|count| usize::from(*count)).sum();
        let (symbols, rest) = rest.split_at_checked(total)?;
        let mut codes = vec![(0, 0); 1 << 16].into_boxed_slice();
        let (mut filled, mut symbols) = (0, symbols.iter());
        for (length, count) in (1_u8..).zip(counts) {
            let share = 1_usize << (16 - length);
            for symbol in symbols.by_ref().take(usize::from(*count)) {
                codes.get_mut(filled..filled + share)?.fill((length, *symbol));
                filled += share;
            }
        }
        Some((Self { codes }, rest))
    }
}

/// The bits of a scan, with the restart markers among them.
pub(super) struct Coded<'a> {
    bytes: &'a [u8],
    at: usize,
    bits: u64,
    count: u32,
}

/// There is no such code, or no more data.
pub(super) struct Damaged;

impl<'a> Coded<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            bits: 0,
            count: 0,
        }
    }

    /// Whether there are as many units as announced, each of these blocks, and not much else.
    pub(super) fn holds(mut self, blocks: &[(&Table, &Table)], units: usize, restart_every: usize) -> bool {
        for unit in 0..units {
            if restart_every > 0 && unit > 0 && unit % restart_every == 0 && !self.restart() {
                return false;
            }
            if blocks.iter().any(|tables| self.block(*tables).is_err()) {
                return false;
            }
        }
        self.is_all()
    }

    /// Whether not much else is left.
    pub(super) fn is_all(&self) -> bool {
        let extra = &self.bytes[self.at..];
        extra.len() <= EXTRA_BYTES_MAX || extra.iter().all(|byte| *byte == extra[0])
    }

    fn block(&mut self, (dc, ac): (&Table, &Table)) -> Result<(), Damaged> {
        let size = self.symbol(dc)?;
        self.skip(u32::from(size & 0x0F))?;
        let mut at = 1;
        while at < COEFFICIENTS {
            let symbol = self.symbol(ac)?;
            let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 0x0F));
            match (run, size) {
                (15, 0) => at += 16,
                (_, 0) => break,
                _ => {
                    at += run + 1;
                    self.skip(size)?;
                }
            }
        }
        if at > COEFFICIENTS { Err(Damaged) } else { Ok(()) }
    }

    pub(super) fn symbol(&mut self, table: &Table) -> Result<u8, Damaged> {
        self.fill();
        // Past the end, ones: no code consists of ones only.
        let missing = 16_u32.saturating_sub(self.count);
        let next = if missing == 0 {
            self.bits >> (self.count - 16)
        } else {
            (self.bits << missing) | ((1 << missing) - 1)
        };
        let (length, symbol) = table.codes[(next & 0xFFFF) as usize];
        if length == 0 {
            return Err(Damaged);
        }
        self.skip(u32::from(length))?;
        Ok(symbol)
    }

    /// So many bits, at most 16, as a number.
    pub(super) fn bits(&mut self, count: u32) -> Result<u32, Damaged> {
        if self.count < count {
            self.fill();
        }
        let left = self.count.checked_sub(count).ok_or(Damaged)?;
        let bits = (self.bits >> left) & ((1 << count) - 1);
        self.count = left;
        Ok(bits as u32)
    }

    pub(super) fn skip(&mut self, bits: u32) -> Result<(), Damaged> {
        if self.count < bits {
            self.fill();
        }
        self.count = self.count.checked_sub(bits).ok_or(Damaged)?;
        Ok(())
    }

    /// Takes in bytes up to the next marker.
    fn fill(&mut self) {
        while self.count <= 56 {
            let Some(byte) = self.bytes.get(self.at) else {
                return;
            };
            if *byte == 0xFF {
                if self.bytes.get(self.at + 1) != Some(&0) {
                    return;
                }
                self.at += 1;
            }
            self.at += 1;
            self.bits = (self.bits << 8) | u64::from(*byte);
            self.count += 8;
        }
    }

    /// Passes over a restart marker; what is left of the bits before it is padding.
    pub(super) fn restart(&mut self) -> bool {
        (self.bits, self.count) = (0, 0);
        let rest = &self.bytes[self.at..];
        let marker = rest
            .windows(2)
            .position(|pair| pair[0] == 0xFF && (0xD0..=0xD7).contains(&pair[1]));
        match marker {
            Some(at) if at <= EXTRA_BYTES_MAX => {
                self.at += at + 2;
                true
            }
            _ => false,
        }
    }
}
