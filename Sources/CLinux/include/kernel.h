// Kernel interfaces that the Glibc module does not carry, and what Swift cannot import of those
// that it does: macros, unions, variadic calls, GNU extensions. Calls answer as the system calls
// under them do, with -1 and errno. Where a test needs more than one line, it is in kernel.c.
#pragma once
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// MARK: - Time

/// A counter that only grows and costs a few nanoseconds to read; its rate is measured, not known.
static inline uint64_t apus_ticks(void) {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
#endif
}

// MARK: - epoll: its event is packed and carries a union

static inline int apus_epoll_control(int poller, int operation, int fd, uint32_t events,
                                     uint64_t token) {
    struct epoll_event event = {.events = events, .data = {.u64 = token}};
    return epoll_ctl(poller, operation, fd, &event);
}

static inline uint64_t apus_epoll_token(const struct epoll_event *events, size_t index) {
    return events[index].data.u64;
}

static inline uint32_t apus_epoll_events(const struct epoll_event *events, size_t index) {
    return events[index].events;
}

// MARK: - Descriptors, always non-blocking and closed on exec

static inline int apus_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }
static inline int apus_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
static inline int apus_signalfd(const sigset_t *signals) {
    return signalfd(-1, signals, SFD_NONBLOCK | SFD_CLOEXEC);
}
static inline int apus_socket(int family) {
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}
static inline int apus_datagram_socket(void) {
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}
static inline int apus_socket_pair(int ends[2]) {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends);
}
int apus_accept(int listener);
/// A pipe: the end to read from does not block, the end to write to does.
int apus_pipe(int ends[2]);
/// Copies bytes of a file into a socket inside the kernel.
int64_t apus_send_file(int socket, int file, int64_t offset, int64_t count);
/// Asks the kernel to start writing these bytes of a file back, without waiting for it.
int apus_start_writeback(int fd, int64_t offset, int64_t count);

// MARK: - Processes

/// fork(2), which the Glibc module withholds.
pid_t apus_fork(void);
static inline int apus_did_exit(int status) { return WIFEXITED(status); }
static inline int apus_exit_status(int status) { return WEXITSTATUS(status); }
static inline int apus_was_signalled(int status) { return WIFSIGNALED(status); }
static inline int apus_signal_number(int status) { return WTERMSIG(status); }

int apus_ignore_signal(int number);
int apus_default_signal(int number);

/// User and system time in microseconds of the process (0), its dead children (-1) or the calling
/// thread (1).
int apus_cpu_usage(int whose, int64_t *user, int64_t *system);
int apus_descriptor_limit(uint64_t *soft, uint64_t *hard);
int apus_set_descriptor_limit(uint64_t soft, uint64_t hard);

/// How many processors this process may run on.
int apus_usable_processors(void);
/// Names the calling thread; at most 15 bytes are kept.
void apus_name_thread(const char *name);
/// What the program was started with.
size_t apus_argument_count(void);
const char *apus_argument(size_t index);
/// What ps(1) shows: the title takes the place of the arguments and, if long, of the environment,
/// which are copied away first. A title that does not fit is cut. Not for use beside other threads
/// that read the environment.
void apus_set_process_title(const char *title);
int apus_disable_huge_pages(void);
/// "Linux 6.1.0 x86_64", cut to `size` with its terminator.
void apus_host_kernel(char *text, size_t size);

// MARK: - The system's log: syslog(3) is variadic

/// The identity is copied.
void apus_open_system_log(const char *identity, int facility);
void apus_write_system_log(int level, const char *message);

// MARK: - Crash reports

/// From here on a fatal signal writes a report with a stack trace before the process dies of that
/// same signal. The report is appended to the file, or goes to stdout where `log_path` is NULL.
/// `version` opens its first sentence. Both are copied; call it again to change them. `details`, if it
/// is not NULL, is called to write more; what it does may fail in any way. Returns the context that was
/// given before.
void *apus_install_crash_handlers(const char *log_path, const char *version,
                                  void (*details)(void *context, int fd), void *details_context);
/// The commit that was built, as far as that was told; empty otherwise.
const char *apus_commit(void);
/// Fatal signals kill the process without a report again.
void apus_remove_crash_handlers(void);
/// Lets SIGALRM come after so many milliseconds, unless this is called again before: then the stack is
/// written to the log. 0 takes it back.
void apus_set_watchdog(int milliseconds);
/// Writes the calling thread's stack to `fd`, a frame a line as module+offset. Async-signal-safe
/// once the crash handlers are installed.
void apus_log_backtrace(int fd);
/// Where the frames of the caller return to, `most` at most; returns how many. `base` is where the
/// program was loaded.
int apus_return_addresses(unsigned long *addresses, int most, unsigned long *base);
/// The name of Swift that a symbol stands for, or NULL; to be freed.
char *apus_demangle(const char *symbol);
void apus_free_name(char *name);
