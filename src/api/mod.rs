//! ANSWERS: the D-Bus API, MPRIS, and the client that `jamzctl` uses.
