//! When a photograph was taken, by the name of its file: `20240601_220003.jpg`, `2024-06-01 22.00.03.jpg`,
//! `trap7-20240601220003-snapshot.jpg`.

use std::path::Path;

use percent_encoding::percent_decode_str;
use trapline_core::{TakenAt, TimePattern};

/// The time that a file's name tells, by a pattern or in a usual way: local, unless it names its zone.
#[must_use]
pub fn taken_at(path: &Path, pattern: Option<&TimePattern>) -> Option<TakenAt> {
    let name = path.file_stem()?.to_string_lossy();
    pattern
        .and_then(|pattern| pattern.read(&name))
        .or_else(|| of_name(&name))
}

/// The time that the name of the file in a URL tells. What follows `?` is for the server: signed URLs have the time of
/// the signature there.
#[must_use]
pub fn taken_at_of_url(url: &str, pattern: Option<&TimePattern>) -> Option<TakenAt> {
    taken_at(Path::new(&name_of_url(url)?), pattern)
}

/// The name of the file in a URL.
pub(crate) fn name_of_url(url: &str) -> Option<String> {
    let path = url.split(['?', '#']).next()?;
    let (_, last) = path.split_once("://")?.1.rsplit_once('/')?;
    // Some stores write the slashes of their own names as `%2F`.
    let name = percent_decode_str(last).decode_utf8_lossy();
    Some(name.rsplit('/').next()?.to_owned())
}

fn of_name(name: &str) -> Option<TakenAt> {
    let starts = name.char_indices().map(|(at, _)| at);
    // A time begins where digits begin, so that no longer number is taken for one.
    let first = |at: usize| !name[..at].ends_with(|c: char| c.is_ascii_digit());
    starts.filter(|at| first(*at)).find_map(|at| time(&name[at..]))
}

fn time(text: &str) -> Option<TakenAt> {
    let mut rest = text;
    let date = [
        number(&mut rest, 4)?,
        part(&mut rest, "-_.:", 2)?,
        part(&mut rest, "-_.:", 2)?,
    ];
    let time = [
        part(&mut rest, "-_ T", 2)?,
        part(&mut rest, "-_.:", 2)?,
        part(&mut rest, "-_.:", 2)?,
    ];
    // Sub-seconds may follow a time without separators; a longer number is none.
    let more = rest.chars().take_while(char::is_ascii_digit).count();
    let [year, month, day] = date;
    let [hour, minute, second] = time;
    (more <= 3 && (1990..2100).contains(&year)).then_some(())?;
    let zone = zone(&rest[more..]).unwrap_or_default();
    TakenAt::parse(&format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{zone}"
    ))
    .ok()
}

/// `Z`, or hours and minutes ahead of UTC. What follows a minus may as well be a counter.
fn zone(rest: &str) -> Option<String> {
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric());
    if rest.strip_prefix('Z').is_some_and(ends) {
        return Some("Z".to_owned());
    }
    let mut rest = rest.strip_prefix('+')?;
    let (hours, minutes) = (number(&mut rest, 2)?, part(&mut rest, ":", 2)?);
    ends(rest).then(|| format!("+{hours:02}:{minutes:02}"))
}

fn part(rest: &mut &str, separators: &str, digits: usize) -> Option<u32> {
    *rest = rest.strip_prefix(|c| separators.contains(c)).unwrap_or(rest);
    number(rest, digits)
}

fn number(rest: &mut &str, digits: usize) -> Option<u32> {
    let text = rest
        .get(..digits)
        .filter(|t| t.bytes().all(|b| b.is_ascii_digit()))?;
    *rest = &rest[digits..];
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_a_time_only_if_it_holds_a_whole_one() {
        for name in [
            "20240601_220003.jpg",
            "IMG_20240601_220003.JPG",
            "2024-06-01 22.00.03.jpg",
            "2024-06-01T22-00-03.jpg",
            "trap7-20240601220003-snapshot.jpg",
            "20240601220003123.jpg",
            "é 2024_06_01_22_00_03.jpg",
        ] {
            let taken = taken_at(Path::new(name), None).map(|t| t.to_string());
            assert_eq!(taken.as_deref(), Some("2024-06-01T22:00:03"), "{name}");
        }
        for name in [
            "IMG_0001.JPG",
            "20240601.jpg",
            "20241301_220003.jpg",
            "120240601_220003.jpg",
            "99990601_220003.jpg",
            "202406012200031234567.jpg",
            "DSC00012345678.jpg",
        ] {
            assert_eq!(taken_at(Path::new(name), None), None, "{name}");
        }
    }

    #[test]
    fn a_zone_in_a_name_counts_and_a_counter_is_none() {
        for (name, expected) in [
            ("20240601T220003Z.jpg", "2024-06-01T22:00:03Z"),
            ("20240601T220003123Z_7.jpg", "2024-06-01T22:00:03Z"),
            ("2024-06-01T22-00-03+0200.jpg", "2024-06-01T22:00:03+02:00"),
            ("2024-06-01 22.00.03+05:30 a.jpg", "2024-06-01T22:00:03+05:30"),
            ("20240601_220003-0001.jpg", "2024-06-01T22:00:03"),
            ("20240601_220003Zoe.jpg", "2024-06-01T22:00:03"),
        ] {
            assert_eq!(
                taken_at(Path::new(name), None),
                TakenAt::parse(expected).ok(),
                "{name}"
            );
        }
    }

    #[test]
    fn a_url_tells_a_time_by_the_name_of_its_file_alone() {
        for url in [
            "https://h/june/20240601_220003.jpg",
            "http://h/trap%207/2024-06-01%2022.00.03.jpg?w=640",
            "https://h/2024-06-01T22%3A00%3A03.jpg#20230101000000",
            "https://h/20200101_000000/IMG_20240601220003.JPG",
            "https://h/o/20200101_000000%2F20240601_220003.jpg?alt=media",
        ] {
            let taken = taken_at_of_url(url, None).map(|t| t.to_string());
            assert_eq!(taken.as_deref(), Some("2024-06-01T22:00:03"), "{url}");
        }
        for url in [
            "https://h/1.jpg?X-Amz-Date=20240601T220003Z",
            "https://h/20240601_220003/1.jpg",
            "https://h/o/20240601_220003%2F1.jpg?alt=media",
            "https://20240601220003",
            "https://h/20240601_220003/",
            "",
        ] {
            assert_eq!(taken_at_of_url(url, None), None, "{url}");
        }
    }
}
