//! PLAYS: decodes, paces, and puts out.
