//! The scheduling of the threads that sound depends on: ahead of everything else, where the system allows it.

use thread_priority::{
    NormalThreadSchedulePolicy, RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue,
    ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
};

/// Low among the real-time priorities: ahead of all ordinary threads, behind the kernel's own.
const PRIORITY: u8 = 10;

/// Puts the calling thread under `SCHED_FIFO`. Where that is not allowed (no `LimitRTPRIO`) nothing happens: the unit's
/// nice level still holds. Allocates nothing.
pub(super) fn claim() {
    if let Ok(priority) = ThreadPriorityValue::try_from(PRIORITY) {
        let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
        let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(priority), policy);
    }
}

/// Gives back what the calling thread has inherited from the one that started it: decoding may take its time.
pub(super) fn release() {
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);
    let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy);
}

#[cfg(test)]
mod tests {
    use super::*;
    use thread_priority::thread_schedule_policy;

    #[test]
    fn a_decoder_does_not_inherit_the_pacers_priority() {
        let policies = std::thread::spawn(|| {
            claim();
            let decoder = std::thread::spawn(|| {
                release();
                thread_schedule_policy().unwrap()
            });
            decoder.join().unwrap()
        });
        let policy = policies.join().unwrap();
        assert_eq!(policy, ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other));
    }
}
