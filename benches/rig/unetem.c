// A link with delay, jitter, loss and a rate, between two TAP devices: for kernels without netem.
//
//   unetem NAMESPACE TAP_THERE TAP_HERE LINK
//
// LINK is a file of one line, read again at SIGHUP: delay and jitter in ms and loss in percent of the way from
// NAMESPACE, the same three of the way back, and a rate in kbit/s (0: no limit). Each frame's delay is drawn anew
// within +-jitter, and no frame overtakes another, as on a real radio link. A loss of 100 is a blackout.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS 1e6
#define QUEUE_FRAMES 65536
#define FRAME_BYTES_MAX 4096
// So many are read from one side before the other has its turn.
#define READ_MAX 64
#define DELAY_MS_MAX 60000.0
#define PRIORITY 50

struct frame {
    int64_t due_ns;
    size_t bytes;
    unsigned char *data;
};

struct way {
    struct frame queue[QUEUE_FRAMES];
    unsigned head, tail;
    int64_t last_due_ns;
    double delay_ms, jitter_ms, loss_percent;
};

static struct way ways[2];
static double rate_kbit;
static volatile sig_atomic_t is_to_read = 1;
static uint64_t random_state = UINT64_C(88172645463325252);

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * NS_PER_S + time.tv_nsec;
}

// Uniform in [0, 1), by xorshift.
static double random_share(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (double)(random_state >> 11) * (1.0 / 9007199254740992.0);
}

static int open_tap(const char *name) {
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    if (strlen(name) >= sizeof request.ifr_name) {
        errno = ENAMETOOLONG;
        fail(name);
    }
    strcpy(request.ifr_name, name);
    int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tap < 0) fail("/dev/net/tun");
    if (ioctl(tap, TUNSETIFF, &request) < 0) fail(name);
    return tap;
}

static int open_tap_in(const char *namespace, const char *name) {
    char path[256];
    if (snprintf(path, sizeof path, "/run/netns/%s", namespace) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        fail(namespace);
    }
    int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int there = open(path, O_RDONLY | O_CLOEXEC);
    if (here < 0 || there < 0 || setns(there, CLONE_NEWNET) < 0) fail(path);
    int tap = open_tap(name);
    if (setns(here, CLONE_NEWNET) < 0) fail("the namespace of before");
    close(there);
    close(here);
    return tap;
}

static void on_hup(int signal) {
    (void)signal;
    is_to_read = 1;
}

static int is_within(double value, double most) {
    return value >= 0 && value <= most;
}

// A line that is none leaves the link as it was.
static void read_link(const char *path) {
    double value[7];
    FILE *file = fopen(path, "r");
    if (!file) fail(path);
    int count = 0;
    while (count < 7 && fscanf(file, "%lf", &value[count]) == 1) count++;
    fclose(file);
    int is_good = count == 7 && value[6] >= 0;
    for (int i = 0; is_good && i < 6; i++) is_good = is_within(value[i], i % 3 == 2 ? 100 : DELAY_MS_MAX);
    if (!is_good) {
        fprintf(stderr, "%s: no link\n", path);
        return;
    }
    for (int i = 0; i < 2; i++) {
        ways[i].delay_ms = value[3 * i];
        ways[i].jitter_ms = value[3 * i + 1];
        ways[i].loss_percent = value[3 * i + 2];
    }
    rate_kbit = value[6];
}

static void take(struct way *way, const unsigned char *data, size_t bytes) {
    if (random_share() * 100 < way->loss_percent || way->tail - way->head >= QUEUE_FRAMES) return;
    double delay_ms = way->delay_ms + (2 * random_share() - 1) * way->jitter_ms;
    int64_t due_ns = now_ns() + (int64_t)(delay_ms * NS_PER_MS);
    if (due_ns < way->last_due_ns) due_ns = way->last_due_ns;
    if (rate_kbit > 0) due_ns += (int64_t)((double)bytes * 8 / rate_kbit * NS_PER_MS);
    struct frame *frame = &way->queue[way->tail % QUEUE_FRAMES];
    frame->data = malloc(bytes);
    if (!frame->data) fail("a frame");
    memcpy(frame->data, data, bytes);
    frame->bytes = bytes;
    frame->due_ns = way->last_due_ns = due_ns;
    way->tail++;
}

static void give_due(struct way *way, int tap) {
    int64_t now = now_ns();
    for (; way->head != way->tail; way->head++) {
        struct frame *frame = &way->queue[way->head % QUEUE_FRAMES];
        if (frame->due_ns > now) break;
        // A device that is full or down loses frames, as any network does.
        int is_lost = write(tap, frame->data, frame->bytes) < 0;
        if (is_lost && errno != EAGAIN && errno != ENOBUFS && errno != EIO) fail("write");
        free(frame->data);
    }
}

static const struct timespec *until_next(struct timespec *wait) {
    int64_t next_ns = INT64_MAX;
    for (int i = 0; i < 2; i++) {
        const struct way *way = &ways[i];
        if (way->head != way->tail && way->queue[way->head % QUEUE_FRAMES].due_ns < next_ns) {
            next_ns = way->queue[way->head % QUEUE_FRAMES].due_ns;
        }
    }
    if (next_ns == INT64_MAX) return NULL;
    int64_t wait_ns = next_ns - now_ns();
    if (wait_ns < 0) wait_ns = 0;
    wait->tv_sec = wait_ns / NS_PER_S;
    wait->tv_nsec = wait_ns % NS_PER_S;
    return wait;
}

int main(int count, char **arguments) {
    if (count != 5) {
        fprintf(stderr, "usage: unetem NAMESPACE TAP_THERE TAP_HERE LINK\n");
        return 2;
    }
    const char *link = arguments[4];
    // SIGHUP comes while it waits and at no other time, so that none is missed.
    sigset_t hup, before;
    sigemptyset(&hup);
    sigaddset(&hup, SIGHUP);
    sigprocmask(SIG_BLOCK, &hup, &before);
    sigdelset(&before, SIGHUP);
    struct sigaction action = {.sa_handler = on_hup};
    sigaction(SIGHUP, &action, NULL);
    int taps[2];
    taps[0] = open_tap_in(arguments[1], arguments[2]);
    taps[1] = open_tap(arguments[3]);
    random_state ^= (uint64_t)getpid() * 2654435761U;
    struct sched_param priority = {.sched_priority = PRIORITY};
    if (sched_setscheduler(0, SCHED_FIFO, &priority) < 0) perror("delays are less exact");
    for (;;) {
        if (is_to_read) {
            is_to_read = 0;
            read_link(link);
        }
        struct pollfd fds[2] = {{.fd = taps[0], .events = POLLIN}, {.fd = taps[1], .events = POLLIN}};
        struct timespec wait;
        if (ppoll(fds, 2, until_next(&wait), &before) < 0 && errno != EINTR) fail("ppoll");
        for (int i = 0; i < 2; i++) {
            unsigned char data[FRAME_BYTES_MAX];
            for (int n = 0; n < READ_MAX; n++) {
                ssize_t bytes = read(taps[i], data, sizeof data);
                if (bytes <= 0) break;
                take(&ways[i], data, (size_t)bytes);
            }
        }
        for (int i = 0; i < 2; i++) give_due(&ways[i], taps[1 - i]);
    }
}
