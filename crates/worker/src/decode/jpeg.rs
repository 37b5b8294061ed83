//! Whether a JPEG file reaches its own end.
//!
//! The end marker is looked for where the format puts it, as a preview inside the file has one of its own.

const END: u8 = 0xD9;
const START: u8 = 0xD8;
const SCAN: u8 = 0xDA;

/// Whether the image's end marker is there. What is no JPEG at all is whole: the decoder says what is wrong with it.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(marker) = next_marker(bytes, &mut at) {
        match marker {
            END => return true,
            // Markers that stand alone.
            START | 0x01 | 0xD0..=0xD7 => {}
            _ => {
                let Some(length) = bytes.get(at..at + 2) else {
                    return false;
                };
                at += usize::from(u16::from_be_bytes([length[0], length[1]]));
                if marker == SCAN {
                    skip_scan(bytes, &mut at);
                }
            }
        }
    }
    false
}

/// Passes over fill bytes, and over what a sloppy writer left between two segments.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    *at += bytes.get(*at..)?.iter().position(|b| *b == 0xFF)?;
    *at += bytes[*at..].iter().position(|b| *b != 0xFF)?;
    *at += 1;
    Some(bytes[*at - 1])
}

/// Passes over coded data: in it, 0xFF is followed by 0 or by a restart marker.
fn skip_scan(bytes: &[u8], at: &mut usize) {
    while let Some(found) = bytes
        .get(*at..)
        .and_then(|rest| rest.iter().position(|b| *b == 0xFF))
    {
        *at += found;
        match bytes.get(*at + 1) {
            Some(0x00 | 0xD0..=0xD7) => *at += 2,
            Some(0xFF) => *at += 1,
            _ => return,
        }
    }
    *at = bytes.len();
}
