//! `/jobs/{id}/results`: what was found, image by image, and `/jobs/{id}/results/{image}`: whether it is right.
//!
//! The server opens no photograph to draw a page. A tile is a *box map*, the frame with the boxes of what was found; the browser
//! lays the original under it where it may have it.

mod asked;
mod beyond;
mod download;
mod entry;
mod filter;
mod labels;
mod near;
mod one;
mod order;
mod photo;
mod picture;
mod place;

use std::collections::HashMap;

use askama::Template;
use axum::{
    Router,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::Response,
    routing::get,
};
use trapline_core::{
    CaptureId,
    ports::Job,
    words::{count, counted},
};

pub(super) use self::picture::known;
use self::{
    filter::{EXAMINED_MAX, Filter, Found, Image, OF_ONE_MAX, find},
    labels::{Colours, Label, labels},
    order::{Key, Order},
    picture::{Picture, Source},
    place::{Place, image_name},
};
use super::{
    chip::Chip,
    page::{Frame, PageResult, render},
    session::Visitor,
    tabs::Head,
    when,
    words::visible,
};
use crate::{
    http::{AppState, Id, LocalFiles, Params, site::Called},
    wiring::Known,
};

const TILES: usize = 60;
/// Labels that a tile names.
const NAMED_MAX: usize = 3;
/// Labels of the page that are offered as a filter.
const OFFERED_MAX: usize = 12;
/// As [`super::headers`] has it, but for photographs of other servers.
const POLICY_WITH_PHOTOGRAPHS: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: http:; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/jobs/{id}/results", get(grid))
        .merge(download::routes())
        .route("/jobs/{id}/results/{image}", get(one::show))
        .route("/jobs/{id}/results/{image}/next", get(beyond::next))
        .route("/jobs/{id}/results/{image}/previous", get(beyond::previous))
        .route("/captures/{id}/image", get(photo::show))
        .route("/captures/{id}/thumbnail", get(photo::thumbnail))
}

struct Tile {
    id: CaptureId,
    name: String,
    path: String,
    picture: Picture,
    found: String,
    labels: Vec<Label>,
    /// Labels that are not named.
    more: usize,
    /// What is not drawn, in words.
    left_out: Option<String>,
}

#[derive(Template)]
#[template(path = "results.html")]
struct Grid {
    frame: Frame,
    head: Head,
    processed: u64,
    is_running: bool,
    /// What stands in place of the tiles.
    empty: Option<String>,
    tiles: Vec<Tile>,
    chips: Vec<Chip>,
    offered: Vec<Chip>,
    filter: Filter,
    /// What the form leaves as it is.
    kept: Vec<(&'static str, String)>,
    /// To the same page with photographs, or without.
    photos: Chip,
    here: String,
    first: Option<String>,
    next: Option<String>,
    /// What was looked at, if that is why the page ends.
    stopped: Option<(usize, String)>,
    /// That the index of the order is behind the results.
    behind: Option<String>,
    /// Whether the order is another one than that of the place that was asked for.
    is_anew: bool,
    downloads: Vec<download::Link>,
}

/// Lets the page load photographs of other servers, if it does.
fn with_photographs(mut response: Response, loads_others: bool) -> Response {
    if loads_others {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, POLICY_WITH_PHOTOGRAPHS);
    }
    response
}

/// To the same page with photographs, or without.
fn photos(place: &Place, has_them: bool) -> Chip {
    let word = match has_them {
        true => "Boxes only",
        false => "Load the photographs here (about 1 to 5 MB each)",
    };
    let other = Place {
        photos: Some(!has_them),
        ..place.clone()
    };
    Chip::new(word, other.path(), has_them)
}

async fn grid(
    State(app): State<AppState>,
    visitor: Visitor,
    Id(id): Id,
    params: Params,
    Called(host): Called,
) -> PageResult {
    let mut place = Place::read(id, &params)?;
    let job = app.visible_job(&visitor.principal, id).await?;
    place.filter.zone = app.engine.zone_of(&job).await?;
    let (store, filter) = (app.engine.store().as_ref(), &place.filter);
    let order = Order::of(&app, &job, filter).await?;
    let after = place.after.filter(|key| order.has(*key));
    let from = (after.unwrap_or(Key::START), false);
    let found = find(store, job.id, filter, &order, from, TILES).await?;
    let is_anew = place.after.is_some() && after.is_none();
    place.after = after;
    // On this machine they cost no network.
    let wants_photos = place.photos.unwrap_or(app.local_files == LocalFiles::All);
    let offered = labels(found.images.iter());
    let host = wants_photos.then_some(host.as_deref());
    let colours = Colours::of(store, job.id, found.images.iter().flat_map(|i| &i.detections)).await?;
    let shown: Vec<CaptureId> = found.images.iter().map(|image| image.row.capture.id).collect();
    let known = picture::known(&app, job.project, &shown).await?;
    let tiles = tiles(&app, &place, (&found.images, &colours), host, &known);
    // What the page goes on to read may have some.
    let loads_others = (wants_photos && found.stopped)
        || tiles
            .iter()
            .any(|t| t.picture.src.as_ref().is_some_and(|src| src.contains("://")));
    let behind = behind(&app, &job, &order).await?;
    let stopped = found.stopped.then(|| stopped(&found));
    let mut kept = place.query();
    kept.retain(|(name, _)| !matches!(*name, "label" | "min" | "after"));
    let mut frame = Frame::new(format!("Results of {}", visible(&job.name)), "jobs", &visitor);
    let is_running = app.goes_on(&job);
    frame.refreshes = is_running;
    let page = Grid {
        frame,
        head: Head::new(&job, &visitor, "Results").at_score(place.filter.min),
        processed: job.counts.processed,
        is_running,
        empty: tiles
            .is_empty()
            .then(|| empty(&job, is_running, &place, found.stopped)),
        tiles,
        chips: chips(&place),
        offered: offer(&place, offered),
        kept,
        photos: photos(&place, wants_photos),
        here: place.path(),
        first: place.after.map(|_| place.with(|_| {}).path()),
        next: found.next.map(|last| place.with(|p| p.after = Some(last)).path()),
        stopped,
        behind,
        is_anew,
        downloads: download::links(&place, &job, &found),
        filter: place.filter,
    };
    let response = render(StatusCode::OK, &page);
    Ok(with_photographs(response, loads_others))
}

/// How many images were looked at, and that in words with how many were found.
fn stopped(found: &Found) -> (usize, String) {
    let looked = counted(found.looked_at as u64, "image");
    (
        found.looked_at,
        format!("{looked} looked at, {} found.", found.images.len()),
    )
}

/// Whether results are not in the index of an order yet, in words.
async fn behind(app: &AppState, job: &Job, order: &Order) -> PageResult<Option<String>> {
    if !matches!(order, Order::Best(_)) {
        return Ok(None);
    }
    let made = app.engine.summary(job, None).await?.unwrap_or_default();
    let is_behind = made.run != job.run || made.seen != job.counts.detections;
    Ok(is_behind.then(|| {
        format!(
            "{} of {} are in this order up to now.",
            count(made.seen),
            counted(job.counts.detections, "detection")
        )
    }))
}

fn tiles(
    app: &AppState,
    place: &Place,
    (images, colours): (&[Image], &Colours),
    photos: Option<Option<&str>>,
    known: &HashMap<CaptureId, Known>,
) -> Vec<Tile> {
    let tile = |image: &Image| {
        let known = known.get(&image.row.capture.id).copied();
        tile(app, place, (image, colours), photos, known)
    };
    images.iter().map(tile).collect()
}

/// `photos` has the name of this server, if photographs are to be shown.
fn tile(
    app: &AppState,
    place: &Place,
    (image, colours): (&Image, &Colours),
    photos: Option<Option<&str>>,
    known: Option<Known>,
) -> Tile {
    let mut capture = image.row.capture.clone();
    let photograph = photos.and_then(|host| {
        Source::of(&app.local_files, &capture, host)
            .url()
            .map(str::to_owned)
    });
    if photograph.is_none()
        && let Some((width, height)) = known.map(|known| known.size)
    {
        // What was decoded is what the boxes are in.
        (capture.facts.width, capture.facts.height) = (Some(width), Some(height));
    }
    let src = photograph.or_else(|| picture::small(capture.id, known));
    let picture = Picture::new(&capture, (&image.detections, colours), &place.filter, None, src);
    let taken = image.detections.iter().filter(|d| place.filter.takes(d)).count();
    let all = u64::try_from(image.row.detections).unwrap_or(0);
    let found = match all {
        0 => "nothing found".to_owned(),
        all if place.filter.is_any() || taken == image.detections.len() => counted(all, "detection"),
        all => format!("{taken} of {}", counted(all, "detection")),
    };
    let mut labels = labels(std::iter::once(image));
    let more = labels.len().saturating_sub(NAMED_MAX);
    labels.truncate(NAMED_MAX);
    let (picture, undrawn) = picture.thinned();
    let undrawn = undrawn as u64 + all.saturating_sub(OF_ONE_MAX as u64);
    Tile {
        id: capture.id,
        name: image_name(&capture.url),
        path: place.path_of(capture.id),
        picture,
        found,
        labels: labels.into_iter().map(|l| Label::new(l, colours)).collect(),
        more,
        left_out: (undrawn > 0).then(|| format!("{} not drawn here", count(undrawn))),
    }
}

/// What may be asked for with a click.
fn chips(place: &Place) -> Vec<Chip> {
    let mut chips: Vec<Chip> = [
        ("All", None),
        ("With detections", Some(true)),
        ("Without", Some(false)),
    ]
    .map(|(word, found)| {
        let of = place.with(|p| {
            p.filter.found = found;
            if found == Some(false) {
                // Nothing has neither label nor score.
                (p.filter.label, p.filter.min, p.filter.best_first) = (None, 0.0, false);
            }
        });
        Chip::new(word, of.path(), place.filter.found == found)
    })
    .into();
    let filter = &place.filter;
    if filter.label.is_some() {
        let best = place.with(|p| p.filter.best_first = !filter.best_first);
        chips.push(Chip::new("Best first", best.path(), filter.best_first));
    }
    if filter.min > 0.0 {
        let all = place.with(|p| p.filter.min = 0.0);
        chips.push(Chip::new(format!("Score ≥ {} ×", filter.min), all.path(), true));
    }
    chips.extend(filter.night.map(|night| {
        let all = place.with(|p| p.filter.night = None);
        Chip::new(
            format!("Night of {} ×", when::night_words(night)),
            all.path(),
            true,
        )
    }));
    chips.extend(filter.hour.map(|hour| {
        let all = place.with(|p| p.filter.hour = None);
        Chip::new(format!("{} ×", when::hour_words(hour)), all.path(), true)
    }));
    chips
}

/// The labels of this page, and the one that is asked for.
fn offer(place: &Place, labels: Vec<(String, usize)>) -> Vec<Chip> {
    let asked = place.filter.label.clone();
    let others = labels.into_iter().map(|(label, _)| label);
    let others = others.filter(|label| !label.is_empty() && Some(label) != asked.as_ref());
    let offered = asked.clone().into_iter().chain(others).take(OFFERED_MAX);
    offered
        .map(|label| {
            let is_on = Some(&label) == asked.as_ref();
            let path = place.with(|p| {
                p.filter.label = (!is_on).then(|| label.clone());
                p.filter.best_first &= !is_on;
                p.filter.found = p.filter.found.filter(|found| *found);
            });
            Chip::new(visible(&label), path.path(), is_on)
        })
        .collect()
}

/// Why there are no tiles.
fn empty(job: &Job, is_running: bool, place: &Place, stopped: bool) -> String {
    let counts = &job.counts;
    match (is_running, counts.processed) {
        _ if stopped => format!(
            "None of these match. A page looks at {} rows at most.",
            count(EXAMINED_MAX as u64)
        ),
        _ if place.after.is_some() => "There are no more.".to_owned(),
        (_, n) if n > 0 && !place.filter.is_any() => "No image matches the filter.".to_owned(),
        (true, 0) => "No image is processed yet. They are shown here as they are done.".to_owned(),
        (false, 0) if counts.failed > 0 => {
            format!(
                "No image was processed: {} failed.",
                counted(counts.failed, "image")
            )
        }
        (false, 0) if counts.total == 0 => "The job has no image that is to be processed.".to_owned(),
        _ => "No image was processed.".to_owned(),
    }
}
