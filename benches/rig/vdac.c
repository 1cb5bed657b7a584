// A virtual sound card, as an ALSA plug-in: when each of its samples is heard is known exactly.
//
// It plays at rate * (1 + ppm / 1e6) of the kernel's CLOCK_MONOTONIC, and runs dry as a real card does. Each time that
// it is opened it writes two files, with k = 0, 1, ...:
//   RECORD.k.raw   every frame that was written to it
//   RECORD.k.seg   F <format> <channels> <rate_hz>           what it was set to
//                  S <start_ns> <first_frame> <rate_hz>      it started: frame first + i is heard at start + i / rate
//                  E <end_ns> <end_frame> stop|xrun          it stopped, or ran dry
// The environment sets it: VDAC_RECORD (the files' beginning, needed), VDAC_PPM (how far its crystal is off), and
// VDAC_GRAIN_FRAMES (its pointer moves in such steps, as a Raspberry Pi's does).
#define _GNU_SOURCE
#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)
#define PPM_MAX 1000.0
#define GRAIN_FRAMES_MAX 48000
#define OPENED_MAX 1000
#define RAW_BUFFER_BYTES (1 << 16)

struct card {
    snd_pcm_ioplug_t io;
    int timer;
    FILE *raw, *segments;
    double ppm, rate_hz;
    uint64_t grain_frames, frame_bytes;
    int64_t start_ns;
    // Of all that were ever written to it: how many, and how many there were when it was last prepared.
    uint64_t written, first;
    uint64_t pointer_last;
    int runs;
};

// Not by libc's function, so that a player whose clock is skewed by a shim has a card that is not.
static int64_t now_ns(void) {
    struct timespec time;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &time);
    return time.tv_sec * NS_PER_S + time.tv_nsec;
}

static uint64_t played(const struct card *card) {
    if (!card->runs) return 0;
    int64_t elapsed_ns = now_ns() - card->start_ns;
    return elapsed_ns > 0 ? (uint64_t)((double)elapsed_ns / (double)NS_PER_S * card->rate_hz) : 0;
}

static uint64_t in_grains(const struct card *card, uint64_t frames) {
    return frames - frames % card->grain_frames;
}

static int is_dry(const struct card *card, uint64_t frames) {
    return card->first + frames > card->written;
}

static void set_timer(const struct card *card, int64_t first_ns, int64_t period_ns) {
    struct itimerspec spec = {
        .it_interval = {period_ns / NS_PER_S, period_ns % NS_PER_S},
        .it_value = {first_ns / NS_PER_S, first_ns % NS_PER_S},
    };
    timerfd_settime(card->timer, 0, &spec, NULL);
}

static void end_segment(struct card *card, uint64_t end_frame, const char *why) {
    if (card->runs) {
        fprintf(card->segments, "E %" PRId64 " %" PRIu64 " %s\n", now_ns(), end_frame, why);
        fflush(card->segments);
        fflush(card->raw);
    }
    card->runs = 0;
}

static int run_dry(struct card *card) {
    end_segment(card, card->written, "xrun");
    return -EPIPE;
}

static int card_start(snd_pcm_ioplug_t *io) {
    struct card *card = io->private_data;
    card->rate_hz = io->rate * (1 + card->ppm * 1e-6);
    card->start_ns = now_ns();
    card->runs = 1;
    fprintf(card->segments, "S %" PRId64 " %" PRIu64 " %.9f\n", card->start_ns, card->first, card->rate_hz);
    fflush(card->segments);
    int64_t period_ns = (int64_t)((double)NS_PER_S * (double)io->period_size / card->rate_hz);
    set_timer(card, period_ns, period_ns);
    return 0;
}

static int card_stop(snd_pcm_ioplug_t *io) {
    struct card *card = io->private_data;
    uint64_t end = card->first + played(card);
    end_segment(card, end < card->written ? end : card->written, "stop");
    set_timer(card, 0, 0);
    return 0;
}

static snd_pcm_sframes_t card_pointer(snd_pcm_ioplug_t *io) {
    struct card *card = io->private_data;
    if (card->runs) {
        uint64_t frames = in_grains(card, played(card));
        if (is_dry(card, frames)) return run_dry(card);
        card->pointer_last = frames;
    }
    return (snd_pcm_sframes_t)(card->pointer_last % io->buffer_size);
}

static snd_pcm_sframes_t card_transfer(snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *areas,
                                       snd_pcm_uframes_t offset, snd_pcm_uframes_t size) {
    struct card *card = io->private_data;
    if (card->runs && is_dry(card, played(card))) return run_dry(card);
    const char *frames = (const char *)areas->addr + (areas->first + areas->step * offset) / 8;
    if (fwrite(frames, card->frame_bytes, size, card->raw) != size) return -EIO;
    card->written += size;
    return (snd_pcm_sframes_t)size;
}

static int card_prepare(snd_pcm_ioplug_t *io) {
    struct card *card = io->private_data;
    if (card->runs) card_stop(io);
    card->first = card->written;
    card->pointer_last = 0;
    card->frame_bytes = (uint64_t)snd_pcm_format_physical_width(io->format) / 8 * io->channels;
    fprintf(card->segments, "F %s %u %u\n", snd_pcm_format_name(io->format), io->channels, io->rate);
    fflush(card->segments);
    // Readable soon, so that a player that polls fills the first buffer.
    set_timer(card, 1, NS_PER_S / 200);
    return 0;
}

static int card_delay(snd_pcm_ioplug_t *io, snd_pcm_sframes_t *delay) {
    struct card *card = io->private_data;
    int64_t waiting = (int64_t)(card->written - card->first) - (int64_t)in_grains(card, played(card));
    *delay = waiting > 0 ? waiting : 0;
    return 0;
}

static int card_poll_revents(snd_pcm_ioplug_t *io, struct pollfd *fds, unsigned count, unsigned short *events) {
    struct card *card = io->private_data;
    *events = 0;
    if (count < 1 || !(fds[0].revents & POLLIN)) return 0;
    uint64_t expirations;
    if (read(card->timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN) return -errno;
    if (card->runs) {
        uint64_t frames = played(card);
        if (is_dry(card, frames)) {
            *events = POLLOUT | POLLERR;
            return 0;
        }
        if (io->buffer_size - (card->written - card->first - frames) < io->period_size) return 0;
    }
    *events = POLLOUT;
    return 0;
}

static void forget(struct card *card) {
    if (card->raw) fclose(card->raw);
    if (card->segments) fclose(card->segments);
    if (card->timer >= 0) close(card->timer);
    free(card);
}

static int card_close(snd_pcm_ioplug_t *io) {
    struct card *card = io->private_data;
    if (card->runs) card_stop(io);
    forget(card);
    return 0;
}

static const snd_pcm_ioplug_callback_t CALLBACKS = {
    .start = card_start,
    .stop = card_stop,
    .pointer = card_pointer,
    .transfer = card_transfer,
    .prepare = card_prepare,
    .delay = card_delay,
    .close = card_close,
    .poll_revents = card_poll_revents,
};

// A number of the environment within its bounds, or what it is without one; bad ones are said.
static int from_environment(const char *name, double least, double most, double *value) {
    const char *text = getenv(name);
    if (!text) return 0;
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end || !(number >= least && number <= most)) {
        SNDERR("%s is a number from %g to %g, not \"%s\"", name, least, most, text);
        return -EINVAL;
    }
    *value = number;
    return 0;
}

static int open_files(struct card *card) {
    const char *record = getenv("VDAC_RECORD");
    if (!record) {
        SNDERR("VDAC_RECORD names no files to write to");
        return -EINVAL;
    }
    for (int opened = 0; opened < OPENED_MAX; opened++) {
        char *path;
        if (asprintf(&path, "%s.%d.seg", record, opened) < 0) return -ENOMEM;
        // Whoever made it has it: two players may open the card at once.
        card->segments = fopen(path, "wx");
        free(path);
        if (!card->segments && errno == EEXIST) continue;
        if (!card->segments) return -errno;
        if (asprintf(&path, "%s.%d.raw", record, opened) < 0) return -ENOMEM;
        card->raw = fopen(path, "w");
        free(path);
        if (!card->raw) return -errno;
        setvbuf(card->raw, NULL, _IOFBF, RAW_BUFFER_BYTES);
        return 0;
    }
    return -EMFILE;
}

static int set_parameters(snd_pcm_ioplug_t *io) {
    static const unsigned accesses[] = {SND_PCM_ACCESS_RW_INTERLEAVED, SND_PCM_ACCESS_MMAP_INTERLEAVED};
    static const unsigned formats[] = {SND_PCM_FORMAT_S16_LE, SND_PCM_FORMAT_S32_LE, SND_PCM_FORMAT_FLOAT_LE};
    static const unsigned rates_hz[] = {44100, 48000};
    int error = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_ACCESS, 2, accesses);
    if (error >= 0) error = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_FORMAT, 3, formats);
    if (error >= 0) error = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_RATE, 2, rates_hz);
    if (error >= 0) error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_CHANNELS, 1, 2);
    if (error >= 0) error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIOD_BYTES, 128, 1 << 16);
    if (error >= 0) error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_BUFFER_BYTES, 512, 1 << 20);
    if (error >= 0) error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIODS, 2, 1024);
    return error;
}

SND_PCM_PLUGIN_DEFINE_FUNC(vdac) {
    (void)root;
    (void)conf;
    if (stream != SND_PCM_STREAM_PLAYBACK) return -EINVAL;
    struct card *card = calloc(1, sizeof *card);
    if (!card) return -ENOMEM;
    double grain_frames = 1;
    card->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    int error = card->timer < 0 ? -errno : 0;
    if (error >= 0) error = from_environment("VDAC_PPM", -PPM_MAX, PPM_MAX, &card->ppm);
    if (error >= 0) error = from_environment("VDAC_GRAIN_FRAMES", 1, GRAIN_FRAMES_MAX, &grain_frames);
    if (error >= 0) error = open_files(card);
    if (error < 0) {
        forget(card);
        return error;
    }
    card->grain_frames = (uint64_t)grain_frames;
    card->io.version = SND_PCM_IOPLUG_VERSION;
    card->io.name = "vdac";
    card->io.callback = &CALLBACKS;
    card->io.private_data = card;
    card->io.poll_fd = card->timer;
    card->io.poll_events = POLLIN;
    error = snd_pcm_ioplug_create(&card->io, name, stream, mode);
    if (error < 0) {
        forget(card);
        return error;
    }
    error = set_parameters(&card->io);
    if (error < 0) {
        // Closes the card, too.
        snd_pcm_ioplug_delete(&card->io);
        return error;
    }
    *pcmp = card->io.pcm;
    return 0;
}
SND_PCM_PLUGIN_SYMBOL(vdac);
