//! Whole lists, from bytes to captures.

use std::io::Write as _;

use proptest::prelude::*;

use super::*;

fn read_in(bytes: &[u8], format: Option<Format>, chunk: usize) -> (Vec<Line>, Result<(), String>) {
    let mut reader = Reader::new(format, Files::Refused);
    let mut lines = Vec::new();
    let mut all = || {
        for part in bytes.chunks(chunk) {
            for part in reader.parts(part) {
                reader.push(part, &mut |line| lines.push(line))?;
            }
        }
        reader.finish(&mut |line| lines.push(line))
    };
    let end = all();
    (lines, end)
}

fn said((number, found): &Line) -> String {
    match found {
        Found::Capture(c) => {
            let mut text = format!("{number} {}", c.url);
            let side = |n: Option<i64>| n.map_or_else(String::new, |n| format!(" {n}"));
            text.push_str(&(side(c.facts.width) + &side(c.facts.height)));
            text.extend(c.facts.taken_at.map(|at| format!(" {at}")));
            text.extend(c.facts.camera.iter().map(|c| format!(" {c}")));
            text
        }
        Found::File(path, _) => format!("{number} file {}", path.display()),
        Found::Rejected(why) => format!("{number} rejected: {why}"),
        Found::Warning(why) => format!("{number} warning: {why}"),
    }
}

fn read(bytes: impl AsRef<[u8]>) -> Vec<String> {
    let (lines, end) = read_in(bytes.as_ref(), None, 7);
    assert_eq!(end, Ok(()));
    lines.iter().map(said).collect()
}

fn utf16(text: &str, mark: bool) -> Vec<u8> {
    let text = format!("{}{text}", if mark { "\u{feff}" } else { "" });
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_list_is_known_by_its_name_or_its_first_line() {
    for name in ["a/b.CSV", "b.tsv.gz", "x.y.csv"] {
        assert_eq!(Format::of_name(name), Some(Format::Csv), "{name}");
    }
    for name in ["list", "b.txt", "b.jsonl", "-", "csv"] {
        assert_eq!(Format::of_name(name), None, "{name}");
    }
    for (head, expected) in [
        ("url,width", Format::Csv),
        ("\"url\",\"taken_at\"", Format::Csv),
        ("sep=;", Format::Csv),
        ("Aufnahme\tImage URL", Format::Csv),
        (" {\"url\": \"http://h/a\"}", Format::Ndjson),
        ("\"http://h/a\"", Format::Ndjson),
        ("[{", Format::Json),
        ("http://h/a,url", Format::Txt),
        ("http://h/a?url", Format::Txt),
        ("", Format::Txt),
    ] {
        assert_eq!(Format::of_head(head.as_bytes()), expected, "{head}");
    }
}

#[test]
fn a_list_of_excel_is_read_with_semicolons_tabs_marks_and_rows_of_nothing() {
    let expected = [
        "2 http://h/Käfer 1.jpg 4000 2024-06-01T22:00:00",
        "4 http://h/2.jpg",
    ];
    let rows = |d: &str| {
        format!(
            "Foto{d}Image URL{d}Width{d}DateTime\r\n1{d}http://h/Käfer 1.jpg{d}4000{d}01.06.2024 22:00\r\n{d}{d}{d}\r\n2{d}http://h/2.jpg{d}{d}\r\n{d}{d}{d}\r\n"
        )
    };
    for text in [rows(";"), rows("\t"), rows(",")] {
        assert_eq!(read(format!("\u{feff}{text}")), expected);
        assert_eq!(read(utf16(&text, true)), expected);
    }
    let sep = read(format!("sep=;\r\n{}", rows(";")));
    assert_eq!(
        sep,
        [
            "3 http://h/Käfer 1.jpg 4000 2024-06-01T22:00:00",
            "5 http://h/2.jpg"
        ]
    );
}

#[test]
fn a_list_of_pandas_is_read_with_its_index_its_numbers_and_its_zones() {
    let text = ",url,width,height,taken_at\n0,http://h/1.jpg,4000.0,3000.0,2024-06-01 22:00:00+02:00\n1,http://h/2.jpg,NaN,<NA>,NaT\n2,http://h/3.jpg,,,\n";
    assert_eq!(
        read(text),
        [
            "2 http://h/1.jpg 4000 3000 2024-06-01T22:00:00+02:00",
            "3 http://h/2.jpg",
            "4 http://h/3.jpg"
        ]
    );
    let records = r#"[{"url":"http://h/1.jpg","taken_at":1717279200000,"width":4000.0},{"url":"http://h/2.jpg","taken_at":null,"width":null}]"#;
    assert_eq!(
        read(records),
        ["1 http://h/1.jpg 4000 2024-06-01T22:00:00Z", "2 http://h/2.jpg"]
    );
}

#[test]
fn a_list_of_r_is_read_with_row_names_that_have_no_column() {
    let text = "\"url\",\"width\",\"taken_at\"\n\"1\",\"http://h/1.jpg\",4e+03,NA\n\"2\",\"http://h/2.jpg\",NA,2024-06-01 22:00:00\n";
    assert_eq!(
        read(text),
        ["2 http://h/1.jpg 4000", "3 http://h/2.jpg 2024-06-01T22:00:00"]
    );
}

#[test]
fn a_list_of_r_with_spaces_between_its_values_is_read() {
    let text = "\"url\" \"width\"\n\"1\" \"http://h/1 a.jpg\" 640\n\"2\" \"http://h/2.jpg\" NA\n";
    assert_eq!(read(text), ["2 http://h/1 a.jpg 640", "3 http://h/2.jpg"]);
}

#[test]
fn a_day_and_a_time_in_two_columns_are_one_time() {
    let text = "File;Date;Time\nhttp://h/1.jpg;01.06.2024;22:00\nhttp://h/2.jpg;2024-06-01;NA\nhttp://h/3.jpg;6/1/2024;22:00\n";
    let seen = read(text);
    assert_eq!(
        seen[..2],
        ["2 http://h/1.jpg 2024-06-01T22:00:00", "3 http://h/2.jpg"]
    );
    assert!(seen[2].contains("the day in `6/1/2024 22:00` may be"), "{seen:?}");
}

#[test]
fn a_list_of_exiftool_is_read_by_the_names_of_tags() {
    let text = "SourceFile,DateTimeOriginal,ImageWidth,Model\nhttp://h/1.jpg,2024:06:01 22:00:00,4000,Canon EOS R5\nhttp://h/2.jpg,0000:00:00 00:00:00,-,-\n";
    assert_eq!(
        read(text),
        [
            "2 http://h/1.jpg 4000 2024-06-01T22:00:00 Canon EOS R5",
            "3 http://h/2.jpg"
        ]
    );
}

#[test]
fn a_value_that_cant_be_read_costs_a_warning_and_no_capture() {
    let text = "url,width,taken_at\nhttp://h/1.jpg,4000px,6/1/2024 22:00\nftp://h/2.jpg,0,\nhttp://h/3.jpg\n";
    assert_eq!(
        read(text),
        [
            "2 warning: `taken_at` is left out: the day in `6/1/2024 22:00` may be 6 or 1; write it as 2024-MM-DD",
            "2 warning: `width` is left out: `4000px` is not a whole number of pixels",
            "2 http://h/1.jpg",
            "3 rejected: the scheme `ftp` is not allowed, only http and https",
            "4 http://h/3.jpg",
        ]
    );
}

#[test]
fn lists_that_were_joined_are_read_on() {
    let csv = "\u{feff}url,width\r\nhttp://h/1.jpg,1\r\n";
    assert_eq!(
        read(csv.repeat(2)),
        [
            "2 http://h/1.jpg 1",
            "3 warning: the header stands here again and is passed over",
            "4 http://h/1.jpg 1"
        ]
    );
    let text = "\u{feff}http://h/1.jpg\r\u{feff}\"http://h/2.jpg\r";
    assert_eq!(read(text)[0], "1 http://h/1.jpg");
    let json = "\u{feff}{\"url\": \"http://h/1.jpg\"}\n";
    assert_eq!(read(json.repeat(2)), ["1 http://h/1.jpg", "2 http://h/1.jpg"]);
    assert_eq!(
        read([gzip(csv.as_bytes()), gzip(b"http://h/2.jpg")].concat()).len(),
        2
    );
}

#[test]
fn latin_1_is_read_and_told_once_where_it_matters() {
    let text = b"url,notes\nhttp://h/1.jpg,K\xe4fer\nhttp://h/K\xe4fer.jpg,\nhttp://h/\xfc.jpg,\n";
    let seen = read(text);
    assert_eq!((seen[0].as_str(), seen.len()), ("2 http://h/1.jpg", 4));
    assert!(
        seen[1].starts_with("3 warning: the list is not UTF-8"),
        "{seen:?}"
    );
    assert_eq!(seen[2..], ["3 http://h/Käfer.jpg", "4 http://h/ü.jpg"]);
}

#[test]
fn a_list_without_what_is_needed_is_refused_with_one_sentence() {
    for (text, format, part) in [
        (
            &b"photo,width\n1,2\n"[..],
            Some(Format::Csv),
            "it names `photo`, `width`",
        ),
        (
            b"http://h/1.jpg\n",
            Some(Format::Csv),
            "here holds `http://h/1.jpg`",
        ),
        (
            b"url,\"width\nhttp://h/1.jpg\n",
            Some(Format::Csv),
            "line 1: a quote is opened",
        ),
        (b"[\"http://h/1.jpg\", \"http", None, "breaks off in item 2"),
        (b"{\n  \"images\": [\n", None, "begin it with `[`"),
        (b"PK\x03\x04....", None, "save it as CSV"),
        (
            &gzip(b"http://h/1.jpg\nhttp://h/2.jpg\n")[..30],
            None,
            "cut short",
        ),
    ] {
        let refused = read_in(text, format, 5).1.unwrap_err();
        assert!(refused.contains(part), "{refused}");
    }
}

#[test]
fn what_a_bomb_unpacks_to_is_not_held() {
    let line = gzip(&vec![b'x'; 20 << 20]);
    let mut reader = Reader::new(None, Files::Refused);
    let mut lines = Vec::new();
    for part in reader.parts(&line) {
        reader.push(part, &mut |line| lines.push(line)).unwrap();
        assert!(reader.text.capacity() < 2 << 20, "{}", reader.text.capacity());
    }
    reader.finish(&mut |line| lines.push(line)).unwrap();
    assert_eq!(
        lines.iter().map(said).collect::<Vec<_>>(),
        ["1 rejected: longer than 65536 bytes"]
    );
}

/// What a list is made of: whole lines, values, and all that has a meaning.
fn list() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "url",
        "width",
        "http://h/1.jpg",
        "http://h/ä",
        "\"",
        "\"\"",
        ",",
        ";",
        "\t",
        "\n",
        "\r",
        "\r\n",
        "\u{feff}",
        "{",
        "}",
        "[",
        "]",
        "\\",
        "{\"url\":\"http://h/2\"}",
        "NaN",
        "12",
        " ",
        "sep=;",
        "é",
    ]);
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn a_list_reads_the_same_however_its_bytes_are_cut(
        text in list(),
        header in prop::sample::select(vec!["", "url,width\n", "url;notes\r\n", "[", "http://h/0\n"]),
        encoding in 0..4,
        packed: bool,
        chunk in 1_usize..50,
        format in prop::option::of(prop::sample::select(vec![Format::Txt, Format::Csv, Format::Ndjson, Format::Json])),
    ) {
        let text = format!("{header}{text}");
        let bytes = match encoding {
            0 => utf16(&text, true),
            1 => utf16(&text, false),
            2 => text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect(),
            _ => text.into_bytes(),
        };
        let bytes = if packed { gzip(&bytes) } else { bytes };
        prop_assert_eq!(read_in(&bytes, format, chunk), read_in(&bytes, format, usize::MAX));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), chunk in 1_usize..50) {
        prop_assert_eq!(read_in(&bytes, None, chunk), read_in(&bytes, None, usize::MAX));
    }

    #[test]
    fn what_a_csv_writer_wrote_is_read_row_by_row_with_its_lines(
        notes in prop::collection::vec(prop::collection::vec(
            prop::sample::select(vec!["a", "\"", ",", ";", "\t", "\n", "\r", "\r\n", " ", "\u{e4}"]), 0..6), 0..20),
        delimiter in prop::sample::select(vec![b',', b';', b'\t']),
        end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        chunk in 1_usize..50,
    ) {
        let terminator = if end == "\r\n" { ::csv::Terminator::CRLF } else { ::csv::Terminator::Any(end.as_bytes()[0]) };
        let mut writer = ::csv::WriterBuilder::new().delimiter(delimiter).terminator(terminator).from_writer(Vec::new());
        writer.write_record(["notes", "url", "width"]).unwrap();
        let (mut expected, mut line) = (Vec::new(), 2);
        for (n, note) in notes.iter().enumerate() {
            let (note, url) = (note.concat(), format!("http://h/{n}.jpg"));
            writer.write_record([note.as_str(), &url, "NA"]).unwrap();
            expected.push(format!("{line} {url}"));
            let ends = note.replace("\r\n", "\n").replace('\r', "\n");
            line += 1 + ends.matches('\n').count();
        }
        let list = writer.into_inner().unwrap();
        let (lines, refused) = read_in(&list, Some(Format::Csv), chunk);
        prop_assert_eq!(lines.iter().map(said).collect::<Vec<_>>(), expected);
        prop_assert_eq!(refused, Ok(()));
    }
}

#[test]
fn a_capture_has_the_time_that_its_list_tells_else_that_of_its_name() {
    for list in [
        "http://h/20240601_220003.jpg\n",
        "url,taken_at\nhttp://h/20240601_220003.jpg,\n",
        "url,taken_at\nhttp://h/20240601_220003.jpg,yesterday\n",
        "url;taken_at\nhttp://h/20230101_000000.jpg;2024-06-01T22:00:03\n",
        "{\"url\": \"http://h/20240601_220003.jpg\"}\n",
        "[\"http://h/20240601_220003.jpg\"]",
    ] {
        let lines = read(list);
        assert!(
            lines[lines.len() - 1].ends_with(" 2024-06-01T22:00:03"),
            "{lines:?}"
        );
    }
    let file = Reader::new(None, Files::In("/night".into()));
    let (mut reader, mut found) = (file, Vec::new());
    reader
        .push(b"20240601_220003.jpg\n", &mut |line| found.push(line))
        .unwrap();
    reader.finish(&mut |line| found.push(line)).unwrap();
    let Some((1, Found::File(_, capture))) = found.pop() else {
        panic!("no file: {found:?}")
    };
    let taken = capture.facts.taken_at.map(|at| at.to_string());
    assert_eq!(taken.as_deref(), Some("2024-06-01T22:00:03"));
}
