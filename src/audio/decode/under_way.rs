//! Which file the calling thread decodes: for whoever has to say what ended the program.

use std::cell::RefCell;

thread_local! {
    static PATH: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From here on, this thread decodes this file.
pub(super) fn begin(path: &str) {
    PATH.with_borrow_mut(|under_way| *under_way = Some(path.to_owned()));
}

/// The file; none in a thread that decodes nothing. Safe to ask while the thread panics.
#[must_use]
pub fn path() -> Option<String> {
    PATH.try_with(|path| path.try_borrow().ok().and_then(|path| path.clone())).ok().flatten()
}
