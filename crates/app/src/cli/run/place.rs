//! Where a run keeps what it needs: in files that stay, or in a folder that goes with the process.

use std::{net::SocketAddr, path::PathBuf};

use trapline_core::{Error, Result};
use trapline_worker::samples;

use crate::{
    cli::output,
    config::{Effective, sqlite_path},
};

/// A store that goes with the process, or stays.
pub(super) struct Place {
    pub(super) database: PathBuf,
    samples: PathBuf,
    pub(super) temporary: Option<tempfile::TempDir>,
}

impl Place {
    pub(super) fn of(database: Option<&str>) -> Result<Self> {
        if let Some(database) = database {
            let database = sqlite_path(database)?;
            let mut samples = database.clone().into_os_string();
            samples.push("-samples");
            return Ok(Self {
                database,
                samples: samples.into(),
                temporary: None,
            });
        }
        let folder = tempfile::Builder::new()
            .prefix("trapline-run-")
            .tempdir()
            .map_err(|e| Error::internal("no temporary folder can be made").with_source(e))?;
        Ok(Self {
            database: folder.path().join("run.db"),
            samples: folder.path().join("samples"),
            temporary: Some(folder),
        })
    }

    /// What no setting decides: where a run listens, its store, its token, and that it is no server with a name. Photographs of
    /// this machine are shown themselves.
    pub(super) fn decide(&self, settings: &mut Effective, address: SocketAddr, token: &str) {
        let database = format!("sqlite:{}", self.database.display());
        settings.decide("listen", |config| config.listen = address.to_string());
        settings.decide("database", |config| config.database = database);
        settings.decide("admin_token", |config| {
            config.admin_token = Some(token.to_owned())
        });
        settings.decide("public_url", |config| config.public_url = None);
        settings.decide("thumbnails_bytes_max", |config| config.thumbnails_bytes_max = 0);
    }

    /// What a run without a source is of. It says so, because it may be a slip.
    pub(super) fn make_samples(&self) -> Result<Vec<PathBuf>> {
        samples::write_samples(&self.samples, samples::SAMPLE_SEED, samples::SAMPLE_COUNT)
            .map_err(|e| Error::internal("the sample images can't be written").with_source(e))?;
        output::note(format_args!(
            "no source is given: this run is of the {} sample images that come with Trapline; name a folder, images or a \
             list to run yours",
            samples::SAMPLE_COUNT
        ));
        Ok(vec![self.samples.clone()])
    }
}
