//! Socket.IO payloads: the project's own dialect (`jamz`) and the production backend's (`backend` as a client sees it,
//! `phone` as a server does).

pub mod backend;
pub mod jamz;
pub mod phone;
pub mod signal;
pub mod track;
