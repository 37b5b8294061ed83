//! `trapline run` on manifests as people's programs write them: each line is a photograph or is told.

use std::{io::Write as _, path::Path};

use serde_json::{Value, json};
use trapline_worker::samples::{SAMPLE_SEED, write_samples};

use super::support::{Ran, command, run};

/// A folder with the photographs `ä #1.jpg` and `2.jpg`, and a manifest beside them.
async fn run_list(name: &str, list: impl FnOnce(&Path) -> Vec<u8>) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().canonicalize().unwrap();
    let samples = write_samples(&folder.join("made"), SAMPLE_SEED, 2).unwrap();
    for (sample, name) in samples.iter().zip(["ä #1.jpg", "2.jpg"]) {
        std::fs::rename(sample, folder.join(name)).unwrap();
    }
    std::fs::write(folder.join(name), list(&folder)).unwrap();
    let mut command = command("http://127.0.0.1:1", &["run", name, "--json"]);
    command.current_dir(&folder);
    run(command, Vec::new()).await.exits(0)
}

fn counts(ran: &Ran) -> Value {
    let counts = &ran.json()["counts"];
    json!([counts["total"], counts["processed"]])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_of_excel_in_utf_16_is_run() {
    let text = "\u{feff}File\tDateTime\tWidth\r\nä #1.jpg\t01.06.2024 22:00\t4000,0\r\n2.jpg\t\t\r\n\t\t\r\n";
    let list = |_: &Path| text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(counts(&run_list("Unicode.txt", list).await), json!([2, 2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packed_manifest_of_uris_and_paths_is_run() {
    let ran = run_list("list.csv.gz", |folder| {
        let uri = format!("file://{}/%C3%A4%20%231.jpg", folder.display());
        gzip(format!("notes;path\r\n\"two\r\nlines\";{uri}\r\n;2.jpg\r\n").as_bytes())
    });
    assert_eq!(counts(&ran.await), json!([2, 2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_of_pandas_loses_no_photograph_by_a_value_that_cant_be_read() {
    let list = r#"[{"path": "ä #1.jpg", "width": NaN, "taken_at": 1717279200000}, {"path": "2.jpg", "width": "wide", "taken_at": "6/1/2024 22:00"}]"#;
    let ran = run_list("list.json", |_| list.into()).await;
    assert_eq!(counts(&ran), json!([2, 2]));
    assert!(ran.err.contains("`wide` is not a whole number"), "{ran:?}");
    assert!(ran.err.contains("the day in `6/1/2024 22:00`"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_that_is_not_closed_hides_no_photograph() {
    let list = "path,notes\n1.jpg,\"open\nä #1.jpg,\n2.jpg,\"closed\"\n";
    let ran = run_list("list.csv", |_| list.into()).await;
    assert_eq!(counts(&ran), json!([2, 2]));
    assert!(
        ran.err.contains("line 2: a quote is opened and not closed"),
        "{ran:?}"
    );
}
