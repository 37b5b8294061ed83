//! Whether a JPEG file holds the whole of its picture.
//!
//! The decoder fills what is missing with grey or shifts what follows a gap, and a half-read photograph would
//! count as processed. So the file is read here as a decoder would, but for the pixels: its segments up to the
//! end marker of the picture, and every coded block. What follows the end marker is not
//! the picture's: previews, second pictures, a camera's notes.

mod progressive;
mod scan;

use self::progressive::{Pass, Units};
use self::scan::{Coded, Table};

const END: u8 = 0xD9;
const START: u8 = 0xD8;
const SCAN: u8 = 0xDA;
const TABLES: u8 = 0xC4;
const RESTARTS: u8 = 0xDD;
/// Baseline, extended and progressive, all with Huffman codes. Other processes can't be decoded anyway.
const FRAMES: [u8; 3] = [0xC0, 0xC1, PROGRESSIVE];
const PROGRESSIVE: u8 = 0xC2;

const CUT: &str = "the file is cut off";
const SECOND: &str = "another picture begins before the first one ends";
const PART: &str = "a part of the picture is missing or damaged";

/// What is missing. What is no JPEG at all is whole: the decoder says what is wrong with it.
pub(super) fn check(bytes: &[u8]) -> Result<(), &'static str> {
    let mut file = File::default();
    let mut at = 2;
    loop {
        let before = at;
        let marker = next_marker(bytes, &mut at).ok_or(CUT)?;
        if !file.has_scan && bytes[before..at - 1].iter().any(|byte| !matches!(byte, 0 | 0xFF)) {
            return Err(PART);
        }
        match marker {
            END => return file.end(),
            START => return Err(SECOND),
            // Markers that stand alone.
            0x01 | 0xD0..=0xD7 => continue,
            _ => {}
        }
        let length = bytes.get(at..at + 2).ok_or(CUT)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
        let segment = bytes.get(at + 2..at + length).ok_or(CUT)?;
        at += length;
        match marker {
            TABLES => file.read_tables(segment),
            RESTARTS => file.restart_every = number(segment, 0).unwrap_or(0),
            SCAN => {
                let end = scan_end(bytes, at);
                file.read_scan(segment, &bytes[at..end])?;
                at = end;
            }
            _ if FRAMES.contains(&marker) => {
                if file.frame.is_some() {
                    return Err(SECOND);
                }
                file.frame = Frame::read(segment, marker == PROGRESSIVE);
            }
            _ => {}
        }
    }
}

/// What the segments said so far.
#[derive(Default)]
struct File {
    frame: Option<Frame>,
    /// By class (DC, AC) and number.
    tables: [[Option<Table>; 4]; 2],
    restart_every: usize,
    has_scan: bool,
    /// A scan of a progressive file could not be followed, so that later ones can't be either.
    is_lost: bool,
}

struct Frame {
    width: usize,
    height: usize,
    is_progressive: bool,
    components: Vec<Component>,
}

struct Component {
    id: u8,
    across: usize,
    down: usize,
    /// How many low bits of each coefficient are still to come; none while the coefficient has not come at all.
    missing_bits: [Option<u8>; 64],
    /// Of each block of a progressive file: which coefficients are known not to be zero.
    nonzero: Vec<u64>,
}

impl Frame {
    /// None if the height is told later, or not as the format wants it: the decoder is left to judge that.
    fn read(segment: &[u8], is_progressive: bool) -> Option<Self> {
        let (height, width) = (number(segment, 1)?, number(segment, 3)?);
        let count = usize::from(*segment.get(5)?);
        let components: Vec<_> = segment
            .get(6..6 + 3 * count)?
            .chunks_exact(3)
            .map(|component| Component {
                id: component[0],
                across: usize::from(component[1] >> 4),
                down: usize::from(component[1] & 0x0F),
                missing_bits: [None; 64],
                nonzero: Vec::new(),
            })
            .collect();
        let is_sane = height > 0
            && width > 0
            && !components.is_empty()
            && components
                .iter()
                .all(|c| (1..=4).contains(&c.across) && (1..=4).contains(&c.down));
        is_sane.then_some(Self {
            width,
            height,
            is_progressive,
            components,
        })
    }

    /// How many coded units a scan of these components has.
    fn units(&self, members: &[(usize, u8)]) -> usize {
        let most = |side: fn(&Component) -> usize| self.components.iter().map(side).max().unwrap_or(1);
        let (across, down) = (most(|c| c.across), most(|c| c.down));
        match members {
            [(alone, _)] => {
                let one = &self.components[*alone];
                let blocks = |size: usize, own: usize, most: usize| (size * own).div_ceil(most).div_ceil(8);
                blocks(self.width, one.across, across) * blocks(self.height, one.down, down)
            }
            _ => self.width.div_ceil(8 * across) * self.height.div_ceil(8 * down),
        }
    }
}

impl File {
    fn read_tables(&mut self, mut segment: &[u8]) {
        while let Some((head, rest)) = segment.split_first() {
            let Some((table, rest)) = Table::read(rest) else {
                return;
            };
            let (class, at) = (usize::from(head >> 4) & 1, usize::from(head & 3));
            self.tables[class][at] = Some(table);
            segment = rest;
        }
    }

    fn read_scan(&mut self, segment: &[u8], coded: &[u8]) -> Result<(), &'static str> {
        self.has_scan = true;
        let Some(frame) = &mut self.frame else {
            return Ok(());
        };
        let Some(scan) = Scan::read(segment, frame) else {
            return Ok(());
        };
        for (member, _) in &scan.members {
            for coefficient in &mut frame.components[*member].missing_bits[scan.band.clone()] {
                *coefficient = Some(scan.bits_left);
            }
        }
        if frame.is_progressive {
            return self.read_progressive(&scan, coded);
        }
        let mut blocks = Vec::new();
        for (member, tables) in &scan.members {
            let component = &frame.components[*member];
            let [dc, ac] = &self.tables;
            let (Some(dc), Some(ac)) = (&dc[usize::from(tables >> 4) & 3], &ac[usize::from(tables & 3)])
            else {
                // As in the frames of some webcams: the decoder has tables of its own.
                return Ok(());
            };
            let count = if scan.members.len() == 1 {
                1
            } else {
                component.across * component.down
            };
            blocks.extend(std::iter::repeat_n((dc, ac), count));
        }
        let units = frame.units(&scan.members);
        if Coded::new(coded).holds(&blocks, units, self.restart_every) {
            Ok(())
        } else {
            Err(PART)
        }
    }

    fn read_progressive(&mut self, scan: &Scan, coded: &[u8]) -> Result<(), &'static str> {
        let (Some(frame), false) = (&mut self.frame, self.is_lost) else {
            return Ok(());
        };
        let units = Units {
            count: frame.units(&scan.members),
            restart_every: self.restart_every,
            band: scan.band.clone(),
        };
        let [dc, ac] = &self.tables;
        let blocks_of = |member: usize| match scan.members.len() {
            1 => 1,
            _ => frame.components[member].across * frame.components[member].down,
        };
        let means: Option<Vec<&Table>> = scan
            .members
            .iter()
            .map(|(member, tables)| {
                let table = dc[usize::from(tables >> 4) & 3].as_ref()?;
                Some(std::iter::repeat_n(table, blocks_of(*member)))
            })
            .collect::<Option<Vec<_>>>()
            .map(|tables| tables.into_iter().flatten().collect());
        let (member, tables) = scan.members[0];
        let rest = ac[usize::from(tables & 3)].as_ref();
        let is_mean = scan.band == (0..1);
        let pass = match (is_mean, scan.is_first, &means, rest) {
            (true, true, Some(means), _) => Pass::Mean(means),
            (true, false, ..) => Pass::MoreOfMean(scan.members.iter().map(|(m, _)| blocks_of(*m)).sum()),
            (false, true, _, Some(rest)) if scan.is_of_one() => Pass::Rest(rest),
            (false, false, _, Some(rest)) if scan.is_of_one() => Pass::MoreOfRest(rest),
            _ => {
                self.is_lost = true;
                return Ok(());
            }
        };
        let nonzero = &mut frame.components[member].nonzero;
        if scan.is_of_one() {
            nonzero.resize(units.count, 0);
        }
        if progressive::holds(Coded::new(coded), pass, &units, nonzero) {
            Ok(())
        } else {
            Err(PART)
        }
    }

    /// Whether all that the frame announced has come.
    fn end(&self) -> Result<(), &'static str> {
        let Some(frame) = &self.frame else {
            return Ok(());
        };
        let is_whole = frame
            .components
            .iter()
            .all(|component| component.missing_bits.iter().all(|bits| *bits == Some(0)));
        if is_whole { Ok(()) } else { Err(PART) }
    }
}

struct Scan {
    /// Component and tables.
    members: Vec<(usize, u8)>,
    band: std::ops::Range<usize>,
    bits_left: u8,
    /// Whether no bit of these coefficients came before.
    is_first: bool,
}

impl Scan {
    fn is_of_one(&self) -> bool {
        self.members.len() == 1 && self.band.start > 0
    }

    fn read(segment: &[u8], frame: &Frame) -> Option<Self> {
        let count = usize::from(*segment.first()?);
        let members = segment
            .get(1..1 + 2 * count)?
            .chunks_exact(2)
            .map(|member| {
                let at = frame.components.iter().position(|c| c.id == member[0])?;
                Some((at, member[1]))
            })
            .collect::<Option<Vec<_>>>()?;
        let [first, last, bits] = segment.get(1 + 2 * count..4 + 2 * count)? else {
            return None;
        };
        let (band, bits_left) = if frame.is_progressive {
            (usize::from(*first)..usize::from(*last) + 1, bits & 0x0F)
        } else {
            (0..64, 0)
        };
        (band.start < band.end && band.end <= 64 && !members.is_empty()).then_some(Self {
            members,
            band,
            bits_left,
            is_first: bits >> 4 == 0,
        })
    }
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let pair = bytes.get(at..at + 2)?;
    Some(usize::from(u16::from_be_bytes([pair[0], pair[1]])))
}

/// Passes over fill bytes, and over what a sloppy writer left between two segments.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    *at += bytes.get(*at..)?.iter().position(|b| *b == 0xFF)?;
    *at += bytes[*at..].iter().position(|b| *b != 0xFF)?;
    *at += 1;
    Some(bytes[*at - 1])
}

/// The end of coded data: in it, 0xFF is followed by 0 or by a restart marker.
fn scan_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(found) = bytes
        .get(at..)
        .and_then(|rest| rest.iter().position(|b| *b == 0xFF))
    {
        at += found;
        match bytes.get(at + 1) {
            Some(0x00 | 0xD0..=0xD7) => at += 2,
            Some(0xFF) => at += 1,
            _ => return at,
        }
    }
    bytes.len()
}
