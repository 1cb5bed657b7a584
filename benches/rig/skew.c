// Gives one process system clocks that run at another rate: LD_PRELOAD it, with SKEW_PPM in the environment.
//
// The virtual card reads the clock by a system call, and so stays where it is. All clocks of the machine are off
// alike, as one crystal drives them; those of processor time are not touched.
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)
#define PPM_MAX 1000.0
// The largest of the clocks' ids, and one more.
#define CLOCKS (CLOCK_BOOTTIME + 1)

static double ppm;
// What each clock showed when the process started: there it is right.
static int64_t started_ns[CLOCKS];
static int is_ready;

static int is_skewed(clockid_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW ||
           clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_BOOTTIME;
}

static int64_t true_ns(clockid_t clock) {
    struct timespec time;
    syscall(SYS_clock_gettime, clock, &time);
    return time.tv_sec * NS_PER_S + time.tv_nsec;
}

// Other libraries' constructors may ask for the time before this one has run.
__attribute__((constructor)) static void prepare(void) {
    if (is_ready) return;
    for (clockid_t clock = 0; clock < CLOCKS; clock++) {
        if (is_skewed(clock)) started_ns[clock] = true_ns(clock);
    }
    const char *text = getenv("SKEW_PPM");
    if (text) {
        char *end;
        ppm = strtod(text, &end);
        if (end == text || *end || !(ppm >= -PPM_MAX && ppm <= PPM_MAX)) {
            fprintf(stderr, "SKEW_PPM is a number from %g to %g, not \"%s\"\n", -PPM_MAX, PPM_MAX, text);
            _exit(2);
        }
    }
    is_ready = 1;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (!is_skewed(clock)) return (int)syscall(SYS_clock_gettime, clock, time);
    prepare();
    int64_t ns = true_ns(clock);
    ns += (int64_t)((double)(ns - started_ns[clock]) * ppm * 1e-6);
    time->tv_sec = ns / NS_PER_S;
    time->tv_nsec = ns % NS_PER_S;
    return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    time->tv_sec = precise.tv_sec;
    time->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *seconds) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (seconds) *seconds = precise.tv_sec;
    return precise.tv_sec;
}
