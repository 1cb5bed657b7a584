//! What is heard now, as the pacer tells it.

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Heard {
    pub in_sync: bool,
    pub offset_us: Option<f64>,
    pub correction_ppm: f64,
    pub realigns: u64,
    pub problem: Option<String>,
}
