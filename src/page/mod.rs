//! SHOWS: the page by which a phone joins with nothing but its browser. Whoever serves it has it in the program.

use crate::core::id::fingerprint;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Path, type and text of each file.
const FILES: [(&str, &str, &str); 15] = [
    ("/", HTML, include_str!("../../web/index.html")),
    ("/page.css", CSS, include_str!("../../web/page.css")),
    ("/page.js", SCRIPT, include_str!("../../web/page.js")),
    ("/convoy.js", SCRIPT, include_str!("../../web/convoy.js")),
    ("/deeds.js", SCRIPT, include_str!("../../web/deeds.js")),
    ("/door.js", SCRIPT, include_str!("../../web/door.js")),
    ("/frames.js", SCRIPT, include_str!("../../web/frames.js")),
    ("/here.js", SCRIPT, include_str!("../../web/here.js")),
    ("/keys.js", SCRIPT, include_str!("../../web/keys.js")),
    ("/mesh.js", SCRIPT, include_str!("../../web/mesh.js")),
    ("/server.js", SCRIPT, include_str!("../../web/server.js")),
    ("/view.js", SCRIPT, include_str!("../../web/view.js")),
    ("/words.js", SCRIPT, include_str!("../../web/words.js")),
    ("/vendor/socket.io.esm.min.js", SCRIPT, include_str!("../../web/vendor/socket.io.esm.min.js")),
    ("/icon.svg", SVG, include_str!("../../web/icon.svg")),
];

/// What stands in the page comes from members, and none of it may become code, or go anywhere but here.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
    trusted-types 'none'";

/// Headers of every answer.
pub const GUARDS: [(&str, &str); 6] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    // Asked for each time, and sent again only when it is another.
    ("cache-control", "no-cache"),
];

/// A file of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    pub path: &'static str,
    pub kind: &'static str,
    pub text: &'static str,
}

impl File {
    /// Differs when the text does: the value of its `ETag`.
    #[must_use]
    pub fn tag(&self) -> String {
        format!("\"{:016x}\"", fingerprint(self.text))
    }
}

/// All files.
pub fn files() -> impl Iterator<Item = File> {
    FILES.into_iter().map(|(path, kind, text)| File { path, kind, text })
}

/// The file at a path.
#[must_use]
pub fn file(path: &str) -> Option<File> {
    files().find(|file| file.path == path)
}
