//! Counts the coded blocks of a progressive scan (ITU-T T.81, annex G).
//!
//! A scan holds some coefficients of every block, or one more bit of each that is not zero. So what is not zero is
//! remembered, a bit for each coefficient of a block.

use std::ops::Range;

use super::scan::{Coded, Damaged, Table};

/// What a scan adds to each block.
#[derive(Clone, Copy)]
pub(super) enum Pass<'a> {
    /// The first bits of the mean value, for each of the blocks of a unit by its table.
    Mean(&'a [&'a Table]),
    /// One bit more of each of so many mean values of a unit.
    MoreOfMean(usize),
    /// The first bits of other coefficients.
    Rest(&'a Table),
    /// One bit more of these, and those that were zero so far.
    MoreOfRest(&'a Table),
}

/// How the units of a scan lie.
pub(super) struct Units {
    pub(super) count: usize,
    pub(super) restart_every: usize,
    pub(super) band: Range<usize>,
}

/// Whether the scan has as many units as announced, and not much else. `nonzero` has an entry for each block of the
/// component, if the scan is of one.
pub(super) fn holds(mut coded: Coded<'_>, pass: Pass<'_>, units: &Units, nonzero: &mut [u64]) -> bool {
    let mut ended = 0;
    for unit in 0..units.count {
        if units.restart_every > 0 && unit > 0 && unit % units.restart_every == 0 {
            ended = 0;
            if !coded.restart() {
                return false;
            }
        }
        let band = units.band.clone();
        let block = || match (pass, nonzero.get_mut(unit)) {
            (Pass::Mean(tables), _) => tables.iter().try_for_each(|table| {
                let size = coded.symbol(table)?;
                coded.skip(u32::from(size & 0x0F))
            }),
            (Pass::MoreOfMean(blocks), _) => (0..blocks).try_for_each(|_| coded.skip(1)),
            (Pass::Rest(table), Some(block)) => first(&mut coded, table, band, block, &mut ended),
            (Pass::MoreOfRest(table), Some(block)) => more(&mut coded, table, band, block, &mut ended),
            (Pass::Rest(_) | Pass::MoreOfRest(_), None) => Err(Damaged),
        };
        if block().is_err() {
            return false;
        }
    }
    coded.is_all()
}

/// The number of blocks, this one included, of which nothing more comes.
fn run_of_ends(coded: &mut Coded<'_>, length: u8) -> Result<u32, Damaged> {
    Ok((1 << length) + coded.bits(u32::from(length))?)
}

fn first(
    coded: &mut Coded<'_>,
    table: &Table,
    band: Range<usize>,
    nonzero: &mut u64,
    ended: &mut u32,
) -> Result<(), Damaged> {
    if *ended > 0 {
        *ended -= 1;
        return Ok(());
    }
    let mut at = band.start;
    while at < band.end {
        let symbol = coded.symbol(table)?;
        let (run, size) = (symbol >> 4, symbol & 0x0F);
        match (run, size) {
            (15, 0) => at += 16,
            (length, 0) => {
                *ended = run_of_ends(coded, length)? - 1;
                return Ok(());
            }
            _ => {
                at += usize::from(run);
                if at >= band.end {
                    return Err(Damaged);
                }
                coded.skip(u32::from(size))?;
                *nonzero |= 1 << at;
                at += 1;
            }
        }
    }
    Ok(())
}

fn more(
    coded: &mut Coded<'_>,
    table: &Table,
    band: Range<usize>,
    nonzero: &mut u64,
    ended: &mut u32,
) -> Result<(), Damaged> {
    let before = *nonzero;
    let mut at = band.start;
    while *ended == 0 && at < band.end {
        let symbol = coded.symbol(table)?;
        let (mut zeros, size) = (symbol >> 4, symbol & 0x0F);
        match (zeros, size) {
            (15, 0) => {}
            (length, 0) => {
                *ended = run_of_ends(coded, length)?;
                break;
            }
            _ => coded.skip(1)?,
        }
        while at < band.end {
            if before >> at & 1 == 1 {
                coded.skip(1)?;
            } else if zeros == 0 {
                break;
            } else {
                zeros -= 1;
            }
            at += 1;
        }
        if size > 0 {
            if at >= band.end {
                return Err(Damaged);
            }
            *nonzero |= 1 << at;
        }
        at += 1;
    }
    if *ended > 0 {
        *ended -= 1;
        for at in at..band.end {
            if before >> at & 1 == 1 {
                coded.skip(1)?;
            }
        }
    }
    Ok(())
}
