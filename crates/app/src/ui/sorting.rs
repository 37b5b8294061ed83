//! In which order the page of jobs lists them: the words of orders in URLs, and where a page goes on.

use trapline_core::{JobId, Timestamp, ports::JobsFrom};

use crate::http::{ApiError, Params};

/// What jobs are listed by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Created,
    Name,
    Finished,
}

/// The heading of a column by which the table can be sorted.
pub(super) struct Heading {
    pub(super) path: String,
    /// How the table is sorted by it, if it is.
    pub(super) aria: Option<&'static str>,
}

impl Sort {
    const ALL: [Self; 3] = [Self::Created, Self::Name, Self::Finished];

    /// Its word in URLs; that of the newest is left out.
    pub(super) fn word(self) -> Option<&'static str> {
        match self {
            Self::Created => None,
            Self::Name => Some("name"),
            Self::Finished => Some("-finished"),
        }
    }

    /// The heading of its column for programs that read pages aloud.
    pub(super) fn aria(self) -> &'static str {
        match self {
            Self::Name => "ascending",
            Self::Created | Self::Finished => "descending",
        }
    }

    /// Reads which one is asked for, and from where.
    pub(super) fn read(params: &Params) -> Result<JobsFrom, ApiError> {
        let word = params
            .text("sort")
            .filter(|word| !word.is_empty() && *word != "-created");
        let sort = Self::ALL.into_iter().find(|sort| sort.word() == word);
        let sort = sort.ok_or_else(|| ApiError::invalid("`sort` is `-created`, `name` or `-finished`"))?;
        let after = params.text("after").filter(|after| !after.is_empty());
        let wrong = || ApiError::invalid("`after`: this is not a place in this order");
        let place = |after: &str| {
            let (id, place) = after.split_once('.')?;
            Some((place.to_owned(), JobId(id.parse().ok()?)))
        };
        Ok(match (sort, after) {
            (Self::Created, None) => JobsFrom::Newest(None),
            (Self::Name, None) => JobsFrom::Named(None),
            (Self::Finished, None) => JobsFrom::Ended(None),
            (Self::Created, Some(after)) => {
                let id = after.parse().map_err(|_| wrong())?;
                JobsFrom::Newest(Some(JobId(id)))
            }
            (Self::Name, Some(after)) => JobsFrom::Named(Some(place(after).ok_or_else(wrong)?)),
            (Self::Finished, Some(after)) => {
                let (at, id) = place(after).ok_or_else(wrong)?;
                let at = at.parse().map_err(|_| wrong())?;
                JobsFrom::Ended(Some((Timestamp(at), id)))
            }
        })
    }

    pub(super) fn of(from: &JobsFrom) -> Self {
        match from {
            JobsFrom::Newest(_) => Self::Created,
            JobsFrom::Named(_) => Self::Name,
            JobsFrom::Ended(_) => Self::Finished,
        }
    }
}

/// A place in an order, as URLs have it; `None` before the first job.
pub(super) fn after(from: &JobsFrom) -> Option<String> {
    match from {
        JobsFrom::Newest(id) => id.map(|id| id.to_string()),
        JobsFrom::Named(place) => place.as_ref().map(|(name, id)| format!("{id}.{name}")),
        JobsFrom::Ended(place) => place.map(|(at, id)| format!("{id}.{}", at.0)),
    }
}
