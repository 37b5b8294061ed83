//! A photograph as a page draws it: its frame with the boxes of what was found, and where its pixels are, if they may be shown.

use std::collections::HashMap;

use trapline_core::{CaptureId, ProjectId, Result, catalog::Capture, ports::DetectionRow};

use super::{super::words::visible, filter::Filter, labels::Colours};
use crate::{
    file_url,
    http::{AppState, LocalFiles},
    wiring::Known,
};

/// Boxes that are drawn on a tile.
const DRAWN_MAX: usize = 200;

/// How a camera was held, as EXIF counts it: what is stored is turned by this to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Orientation(u8);

impl Orientation {
    pub(super) const UPRIGHT: Self = Self(1);
    pub(super) const ALL: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

    pub(super) fn new(n: i64) -> Option<Self> {
        u8::try_from(n).ok().filter(|n| (1..=8).contains(n)).map(Self)
    }

    pub(super) fn number(self) -> u8 {
        self.0
    }

    /// Whether the sides of the photograph are swapped.
    fn swaps(self) -> bool {
        self.0 >= 5
    }

    /// From the pixels that are stored to those that are seen, of a photograph that is seen at this size.
    fn matrix(self, (w, h): (f64, f64)) -> [f64; 6] {
        match self.0 {
            2 => [-1., 0., 0., 1., w, 0.],
            3 => [-1., 0., 0., -1., w, h],
            4 => [1., 0., 0., -1., 0., h],
            5 => [0., 1., 1., 0., 0., 0.],
            6 => [0., 1., -1., 0., w, 0.],
            7 => [0., -1., -1., 0., w, h],
            8 => [0., -1., 1., 0., 0., h],
            _ => [1., 0., 0., 1., 0., 0.],
        }
    }
}

/// Where a photograph is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// This server sends it.
    Here(String),
    /// A browser may ask another server for it.
    There(String),
    /// Nobody may; why, in words.
    Nowhere(String),
}

impl Source {
    /// `host` is that of this server: no photograph is there, and asking for one would be a request of ours.
    pub(super) fn of(files: &LocalFiles, capture: &Capture, host: Option<&str>) -> Self {
        if let Some(path) = file_url::path(&capture.url) {
            return match files.may_be(&capture.url) {
                true => Self::Here(format!("/captures/{}/image", capture.id)),
                false => Self::Nowhere(format!(
                    "The photograph is on the machine that ran it: {}",
                    visible(&path.display().to_string())
                )),
            };
        }
        let url = reqwest::Url::parse(&capture.url).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some());
        let Some(url) = url else {
            return Self::Nowhere("Its address is not one of a photograph on the web.".to_owned());
        };
        let at = match url.port() {
            Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
            None => url.host_str().unwrap_or_default().to_owned(),
        };
        if host.is_some_and(|host| host.eq_ignore_ascii_case(&at)) {
            return Self::Nowhere(
                "Its address is that of this server, which has no photograph there.".to_owned(),
            );
        }
        Self::There(url.into())
    }

    pub(super) fn url(&self) -> Option<&str> {
        match self {
            Self::Here(url) | Self::There(url) => Some(url),
            Self::Nowhere(_) => None,
        }
    }
}

/// What is known of photographs, without their thumbnails where a project shows none.
pub(in crate::ui) async fn known(
    app: &AppState,
    project: ProjectId,
    captures: &[CaptureId],
) -> Result<HashMap<CaptureId, Known>> {
    let (mut known, is_shown) = (
        app.thumbs.sizes(captures).await,
        app.engine.keeps_thumbnails(project).await?,
    );
    for known in known.values_mut() {
        known.has_jpeg &= is_shown;
    }
    Ok(known)
}

/// The thumbnail of a photograph, if it has one.
pub(super) fn small(of: CaptureId, known: Option<Known>) -> Option<String> {
    let known = known.filter(|known| known.has_jpeg);
    known.map(|_| format!("/captures/{of}/thumbnail"))
}

/// A box, in pixels that are stored.
pub(super) struct Shape {
    /// Its number among those of the image.
    pub(super) n: i64,
    pub(super) letter: String,
    pub(super) colour: u32,
    /// Whether the filter leaves it out.
    pub(super) is_below: bool,
    corners: [f64; 4],
}

impl Shape {
    pub(super) fn x(&self) -> String {
        number(self.corners[0])
    }

    pub(super) fn y(&self) -> String {
        number(self.corners[1])
    }

    /// Its sides in words.
    pub(super) fn pixels(&self) -> String {
        let [x1, y1, x2, y2] = self.corners;
        format!("{:.0} × {:.0} px", x2 - x1, y2 - y1)
    }

    pub(super) fn w(&self) -> String {
        number(self.corners[2] - self.corners[0])
    }

    pub(super) fn h(&self) -> String {
        number(self.corners[3] - self.corners[1])
    }
}

pub(super) struct Picture {
    /// The size at which it is seen, in its pixels.
    size: (f64, f64),
    /// Whether that is known, or made up from the boxes.
    pub(super) is_sized: bool,
    pub(super) orientation: Orientation,
    /// Whether that was guessed from boxes that lie outside.
    pub(super) is_guessed: bool,
    pub(super) shapes: Vec<Shape>,
    /// The photograph to be loaded, if any.
    pub(super) src: Option<String>,
}

impl Picture {
    /// With the boxes of at most so many detections.
    pub(super) fn new(
        capture: &Capture,
        (detections, colours): (&[DetectionRow], &Colours),
        filter: &Filter,
        turn: Option<Orientation>,
        src: Option<String>,
    ) -> Self {
        let known = capture
            .facts
            .width
            .zip(capture.facts.height)
            .filter(|(w, h)| *w > 0 && *h > 0);
        #[expect(clippy::cast_precision_loss, reason = "no photograph has so many pixels")]
        let known = known.map(|(w, h)| (w as f64, h as f64));
        let boxes = || detections.iter().filter_map(|d| d.bbox);
        let far = boxes().fold((0.0_f64, 0.0_f64), |far, [_, _, x2, y2]| {
            (far.0.max(x2), far.1.max(y2))
        });
        let is_shares = far.0 <= 1.5 && far.1 <= 1.5;
        let fits = |(w, h): (f64, f64)| far.0 <= w + 1.0 && far.1 <= h + 1.0;
        let is_guessed = turn.is_none() && known.is_some_and(|(w, h)| !fits((w, h)) && fits((h, w)));
        let orientation = turn.unwrap_or(match is_guessed {
            true => Orientation(6),
            false => Orientation::UPRIGHT,
        });
        let size = known.unwrap_or_else(|| {
            let (w, h) = match is_shares {
                true if far == (0.0, 0.0) => (4.0, 3.0),
                true => (1.0, 1.0),
                false => ((far.0 * 1.05).ceil(), (far.1 * 1.05).ceil()),
            };
            if orientation.swaps() { (h, w) } else { (w, h) }
        });
        let (w, h) = if orientation.swaps() {
            (size.1, size.0)
        } else {
            size
        };
        let scale = |[x1, y1, x2, y2]: [f64; 4]| match is_shares {
            true => [x1 * w, y1 * h, x2 * w, y2 * h],
            false => [x1, y1, x2, y2],
        };
        let shape = |(at, d): (usize, &DetectionRow)| {
            Some(Shape {
                n: d.id.n,
                letter: letter(at),
                colour: colours.colour(d.label().unwrap_or_default()),
                is_below: !filter.takes(d),
                corners: scale(d.bbox?),
            })
        };
        Self {
            size,
            is_sized: known.is_some(),
            orientation,
            is_guessed,
            shapes: detections.iter().enumerate().filter_map(shape).collect(),
            src,
        }
    }

    /// As a tile draws it: how many boxes are left out.
    pub(super) fn thinned(mut self) -> (Self, usize) {
        let left_out = self.shapes.len().saturating_sub(DRAWN_MAX);
        self.shapes.truncate(DRAWN_MAX);
        (self, left_out)
    }

    pub(super) fn width(&self) -> String {
        number(self.size.0)
    }

    pub(super) fn height(&self) -> String {
        number(self.size.1)
    }

    /// How boxes are turned to be seen.
    pub(super) fn transform(&self) -> String {
        let m = self.orientation.matrix(self.size).map(number);
        format!("matrix({})", m.join(" "))
    }

    /// The corners of a box as it is seen: left, top, right, bottom.
    fn seen(&self, shape: &Shape) -> [f64; 4] {
        let [a, b, c, d, e, f] = self.orientation.matrix(self.size);
        let [x1, y1, x2, y2] = shape.corners;
        let seen = |x: f64, y: f64| (a * x + c * y + e, b * x + d * y + f);
        let (one, other) = (seen(x1, y1), seen(x2, y2));
        [
            one.0.min(other.0),
            one.1.min(other.1),
            one.0.max(other.0),
            one.1.max(other.1),
        ]
    }

    /// The part of the photograph that a box shows, as `x y width height`.
    pub(super) fn crop(&self, shape: &Shape) -> String {
        let [left, top, right, bottom] = self.seen(shape);
        [left, top, right - left, bottom - top].map(number).join(" ")
    }

    /// Where the letter of a box stands: above it, or below if there is no room.
    pub(super) fn letter_at(&self, shape: &Shape) -> (String, String) {
        let [left, top, _, bottom] = self.seen(shape);
        let height = self.letter_height();
        let y = if top < height {
            bottom + height
        } else {
            top - height * 0.2
        };
        (number(left), number(y))
    }

    fn letter_height(&self) -> f64 {
        self.size.0.max(self.size.1) / 45.0
    }

    /// The height of letters.
    pub(super) fn letter_size(&self) -> String {
        number(self.letter_height())
    }
}

/// As short as it may be written.
pub(super) fn number(n: f64) -> String {
    let rounded = (n * 10.0).round() / 10.0;
    // -0 is 0.
    (rounded + 0.0).to_string()
}

/// A, B, … Z, AA, AB, …
pub(super) fn letter(mut at: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b'A' + u8::try_from(at % 26).unwrap_or(0)));
        if at < 26 {
            return letters.into_iter().rev().collect();
        }
        at = at / 26 - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detections_have_letters_to_the_last() {
        assert_eq!([0, 25, 26, 701, 702].map(letter), ["A", "Z", "AA", "ZZ", "AAA"]);
    }

    #[test]
    fn no_address_but_one_of_the_web_is_loaded_or_linked() {
        let source = |url: &str| {
            let capture = Capture {
                id: trapline_core::CaptureId(7),
                project: trapline_core::ProjectId(1),
                url: url.to_owned(),
                facts: trapline_core::catalog::CaptureFacts::default(),
            };
            Source::of(&LocalFiles::None, &capture, Some("lab:8000"))
        };
        let long = format!("https://photos.example/{}.jpg", "x".repeat(2_000));
        for url in ["http://photos.example/1.jpg", long.as_str(), "http://lab/1.jpg"] {
            assert_eq!(source(url).url(), Some(url));
        }
        for url in [
            "javascript:alert(1)",
            " JavaScript:alert(1)",
            "data:image/svg+xml,<svg onload=alert(1)>",
            "/logout",
            "//photos.example/1.jpg",
            "http://lab:8000/logout",
            "http://LAB:8000/captures/8/image",
            "file:///etc/passwd",
            "ftp://photos.example/1.jpg",
            "blob:http://lab:8000/1",
            "",
        ] {
            assert_eq!(source(url).url(), None, "{url}");
        }
    }

    /// The corners of a photograph of 4 x 3 pixels that is stored, as EXIF says where they are seen.
    #[test]
    fn each_orientation_takes_the_stored_corners_to_where_they_are_seen() {
        let (w, h) = (4.0, 3.0);
        // Where the first stored pixel, and the end of the first stored row, are seen.
        let seen = [
            ("top left", "top right"),
            ("top right", "top left"),
            ("bottom right", "bottom left"),
            ("bottom left", "bottom right"),
            ("top left", "bottom left"),
            ("top right", "bottom right"),
            ("bottom right", "top right"),
            ("bottom left", "top left"),
        ];
        for (n, (first, end)) in (1..).zip(seen) {
            let orientation = Orientation::new(n).unwrap();
            let size = if orientation.swaps() { (h, w) } else { (w, h) };
            let [a, b, c, d, e, f] = orientation.matrix(size);
            let place = |x: f64, y: f64| {
                let (x, y) = (a * x + c * y + e, b * x + d * y + f);
                let across = if x == 0.0 { "left" } else { "right" };
                assert!(x == 0.0 || x == size.0, "{n}: {x}");
                assert!(y == 0.0 || y == size.1, "{n}: {y}");
                format!("{} {across}", if y == 0.0 { "top" } else { "bottom" })
            };
            assert_eq!(
                (place(0.0, 0.0).as_str(), place(w, 0.0).as_str()),
                (first, end),
                "{n}"
            );
        }
        assert_eq!(Orientation::new(9), None);
    }
}
