//! A folder that grows night by night, with odd entries, whose runs are killed: its export has each photograph and each
//! detection once, as if it had been run from the start.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::fs::{Mode, mkfifoat};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use trapline_drill::until;

use crate::{release, soak::Teller};

/// Of so many entries one is odd, of each kind in turn.
const ODD_EVERY: usize = 40;
const FIRST_NIGHTS: usize = 5;
const NIGHTS_ADDED: usize = 3;
/// How long a run may take to the moment at which it is killed.
const PATIENCE: Duration = Duration::from_secs(1_800);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A folder of JPEG photographs; each is used many times, and each time differs in a comment.
    photographs: PathBuf,
    /// Entries of the folder, odd ones among them.
    #[arg(long, default_value_t = 3_000)]
    entries: usize,
}

struct Folder {
    root: PathBuf,
    pictures: Vec<Vec<u8>>,
    entries: usize,
}

pub(super) async fn run(args: &Args) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut june = Folder {
        root: folder.path().join("june"),
        pictures: pictures(&args.photographs)?,
        entries: 0,
    };
    let teller = Teller::new();
    let first = args.entries * FIRST_NIGHTS / (FIRST_NIGHTS + NIGHTS_ADDED);
    for night in 0..FIRST_NIGHTS {
        june.night(night, first / FIRST_NIGHTS)?;
    }
    let kept = Store::new(folder.path(), "kept")?;
    for share in [0.3, 0.6] {
        let mut run = kept.start(&june.root)?;
        let processed = kept
            .until_processed(&mut run, (first as f64 * share) as i64)
            .await?;
        run.kill()?;
        run.wait()?;
        teller.tell(&format!("killed with {processed} processed"));
        kept.verified()?;
    }
    kept.run(&june.root, &teller)?;
    for night in FIRST_NIGHTS..FIRST_NIGHTS + NIGHTS_ADDED {
        june.night(night, (args.entries - first) / NIGHTS_ADDED)?;
        kept.run(&june.root, &teller)?;
    }
    fs::rename(june.root.join("night-2"), june.root.join("night-2-renamed"))?;
    kept.run(&june.root, &teller)?;
    kept.verified()?;
    let anew = Store::new(folder.path(), "anew")?;
    anew.run(&june.root, &teller)?;
    for table in ["images.csv", "detections.csv"] {
        let (kept, anew) = (kept.rows(table)?, anew.rows(table)?);
        let twice = kept.windows(2).filter(|w| w[0] == w[1]).count();
        teller.tell(&format!(
            "{table}: {} rows, from the start {}, equal {}, twice {twice}",
            kept.len(),
            anew.len(),
            kept == anew
        ));
        if kept != anew || twice > 0 {
            let lost = anew.iter().find(|row| !kept.contains(row));
            let more = kept.iter().find(|row| !anew.contains(row));
            bail!("{table} differs: only from the start {lost:?}, only in the kept store {more:?}");
        }
    }
    Ok(())
}

fn pictures(folder: &Path) -> Result<Vec<Vec<u8>>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension() == Some(OsStr::new("jpg")));
    paths.sort();
    ensure!(!paths.is_empty(), "{} has no .jpg", folder.display());
    Ok(paths.iter().map(fs::read).collect::<Result<_, _>>()?)
}

impl Folder {
    /// Another night of so many entries.
    fn night(&mut self, night: usize, entries: usize) -> Result<()> {
        let folder = self.root.join(format!("night-{night}"));
        fs::create_dir_all(&folder)?;
        for _ in 0..entries {
            let n = self.entries;
            self.entries += 1;
            if n % ODD_EVERY == ODD_EVERY / 2 {
                self.odd(&folder, n)?;
            } else {
                fs::write(folder.join(format!("{n:05}.jpg")), self.photograph(n)?)?;
            }
        }
        Ok(())
    }

    fn odd(&self, folder: &Path, n: usize) -> Result<()> {
        let at = folder.join(format!("{n:05}.jpg"));
        let whole = self.photograph(n)?;
        match n / ODD_EVERY % 7 {
            0 => fs::write(at, b"")?,
            1 => fs::write(at, &whole[..whole.len() / 2])?,
            2 => mkfifoat(rustix::fs::CWD, &at, Mode::RUSR)?,
            3 => std::os::unix::fs::symlink("/nowhere.jpg", at)?,
            4 => fs::write(
                folder.join(OsStr::from_bytes(format!("{n:05}, \"a\" %.jpg").as_bytes())),
                whole,
            )?,
            5 => {
                let mut name = format!("{n:05}-").into_bytes();
                name.extend(b"\xff\xfe.jpg");
                fs::write(folder.join(OsStr::from_bytes(&name)), whole)?;
            }
            _ => fs::write(folder.join(format!("{n:05}.CR2")), b"not read")?,
        }
        Ok(())
    }

    /// A photograph that differs from all others in its comment.
    fn photograph(&self, n: usize) -> Result<Vec<u8>> {
        let picture = &self.pictures[n % self.pictures.len()];
        let (start, rest) = picture.split_at_checked(2).context("no JPEG")?;
        let comment = format!("photograph {n}");
        let length = u16::try_from(comment.len() + 2)?.to_be_bytes();
        Ok([start, &[0xff, 0xfe], &length, comment.as_bytes(), rest].concat())
    }
}

/// A store and its exports.
struct Store {
    database: PathBuf,
    export: PathBuf,
}

impl Store {
    fn new(folder: &Path, name: &str) -> Result<Self> {
        let export = folder.join(name);
        fs::create_dir(&export)?;
        Ok(Self {
            database: folder.join(format!("{name}.db")),
            export,
        })
    }

    fn command(&self, source: &Path) -> Command {
        let mut run = Command::new(release::binary("trapline"));
        run.arg("run")
            .arg(source)
            .arg("--database")
            .arg(&self.database)
            .arg("--export")
            // A folder by its last slash.
            .arg(format!("{}/", self.export.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        run
    }

    fn start(&self, source: &Path) -> Result<Child> {
        Ok(self.command(source).spawn()?)
    }

    fn run(&self, source: &Path, teller: &Teller) -> Result<()> {
        let output = self
            .command(source)
            .arg("--json")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()?;
        let said: serde_json::Value = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        teller.tell(&format!(
            "{}: {} {}",
            output.status, said["status"], said["counts"]
        ));
        Ok(())
    }

    async fn until_processed(&self, run: &mut Child, enough: i64) -> Result<i64> {
        let processed = until("so many are processed", PATIENCE, async || {
            match (self.processed().await, run.try_wait()) {
                (Ok(n), _) if n >= enough => Ok(Some(n)),
                (_, Ok(Some(_))) => Ok(None),
                (seen, _) => Err(format!("{seen:?} of {enough}")),
            }
        });
        processed
            .await?
            .context("the run ended before so many were processed")
    }

    async fn processed(&self) -> sqlx::Result<i64> {
        let options = SqliteConnectOptions::new()
            .filename(&self.database)
            .read_only(true);
        let mut conn = SqliteConnection::connect_with(&options).await?;
        let n = sqlx::query_scalar("SELECT count(*) FROM tasks WHERE state = 'processed'")
            .fetch_one(&mut conn)
            .await?;
        conn.close().await?;
        Ok(n)
    }

    fn verified(&self) -> Result<()> {
        let said = Command::new(release::binary("trapline"))
            .args(["verify", "--database"])
            .arg(&self.database)
            .output()?;
        ensure!(
            said.status.success(),
            "`trapline verify`: {}",
            String::from_utf8_lossy(&said.stdout)
        );
        Ok(())
    }

    /// Rows of an export without what differs from store to store, by their photographs' names.
    fn rows(&self, table: &str) -> Result<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new().from_path(self.export.join(table))?;
        let headers = reader.byte_headers()?.clone();
        let own = [
            "image_id",
            "image_url",
            "image_path",
            "job_id",
            "settled_at",
            "detection_id",
            "detail",
        ];
        let mut rows = Vec::new();
        for record in reader.byte_records() {
            let record = record?;
            let cell = |name: &str| {
                let at = headers.iter().position(|h| h == name.as_bytes());
                at.map_or(&b""[..], |at| &record[at])
            };
            // The URL is percent-encoded, so that each name has one, whatever its bytes are.
            let url = String::from_utf8_lossy(cell("image_url")).into_owned();
            let mut row = url.rsplit('/').next().unwrap_or_default().to_owned();
            for (header, value) in headers.iter().zip(&record) {
                if !own.iter().any(|name| name.as_bytes() == header) {
                    row.push(',');
                    row.push_str(&String::from_utf8_lossy(value));
                }
            }
            rows.push(row);
        }
        rows.sort();
        Ok(rows)
    }
}
