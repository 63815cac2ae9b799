// The kernel calls that are too long for the header: process title and crash reports.
#define _GNU_SOURCE
#include "include/kernel.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <syslog.h>

int apus_accept(int listener) {
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int apus_pipe(int ends[2]) {
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    // More at a time saves turns; where that is not allowed it works all the same.
    fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);
    return 0;
}

int64_t apus_send_file(int socket, int file, int64_t offset, int64_t count) {
    off_t position = offset;
    return sendfile(socket, file, &position, count);
}

int apus_start_writeback(int fd, int64_t offset, int64_t count) {
    return sync_file_range(fd, offset, count, SYNC_FILE_RANGE_WRITE);
}

pid_t apus_fork(void) { return fork(); }

int apus_usable_processors(void) {
    cpu_set_t usable;
    // More processors than such a set has room for are more than one.
    return sched_getaffinity(0, sizeof usable, &usable) == 0 ? CPU_COUNT(&usable) : 2;
}

int apus_ignore_signal(int number) { return signal(number, SIG_IGN) == SIG_ERR ? -1 : 0; }
int apus_default_signal(int number) { return signal(number, SIG_DFL) == SIG_ERR ? -1 : 0; }

int apus_cpu_usage(int whose, int64_t *user, int64_t *system) {
    struct rusage usage;
    if (getrusage(whose, &usage) != 0) return -1;
    *user = (int64_t)usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec;
    *system = (int64_t)usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec;
    return 0;
}

int apus_descriptor_limit(uint64_t *soft, uint64_t *hard) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
    *soft = limit.rlim_cur;
    *hard = limit.rlim_max;
    return 0;
}

int apus_set_descriptor_limit(uint64_t soft, uint64_t hard) {
    struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};
    return setrlimit(RLIMIT_NOFILE, &limit);
}

int apus_disable_huge_pages(void) { return prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); }

void apus_host_kernel(char *text, size_t size) {
    struct utsname host;
    if (uname(&host) != 0) host = (struct utsname){.sysname = "Linux"};
    snprintf(text, size, "%s %s %s", host.sysname, host.release, host.machine);
}

// MARK: - Process title

// The kernel lays the argument strings and then the environment strings out back to back; ps reads
// them from there. The loader hands constructors what main gets, so nobody has to pass argv around.
static int argument_count;
static char **arguments;

__attribute__((constructor)) static void remember_arguments(int count, char **values) {
    argument_count = count;
    arguments = values;
}

size_t apus_argument_count(void) { return (size_t)argument_count; }
const char *apus_argument(size_t index) { return arguments[index]; }

static char *title_start, *title_end;

/// Where the run of strings that begins at `end` stops.
static char *end_of_run(char **strings, char *end) {
    for (; *strings && *strings == end; strings++) end += strlen(end) + 1;
    return end;
}

static void copy_strings(char **strings) {
    for (; *strings; strings++) {
        char *copy = strdup(*strings);
        if (copy) *strings = copy;
    }
}

/// Finds the area and moves every string out of it, once. What is copied stays for good.
static void claim_title_area(void) {
    if (!arguments || argument_count == 0 || !arguments[0]) return;
    title_start = arguments[0];
    title_end = end_of_run(environ, end_of_run(arguments, title_start));
    copy_strings(arguments);
    copy_strings(environ);
    char *name = strdup(program_invocation_name);
    char *short_name = strdup(program_invocation_short_name);
    if (name) program_invocation_name = name;
    if (short_name) program_invocation_short_name = short_name;
}

void apus_name_thread(const char *name) {
    char kept[16];
    snprintf(kept, sizeof kept, "%s", name);
    prctl(PR_SET_NAME, kept, 0, 0, 0);
}

void apus_set_process_title(const char *title) {
    if (!title_start) claim_title_area();
    if (!title_start) return;
    size_t room = (size_t)(title_end - title_start);
    memset(title_start, 0, room);
    snprintf(title_start, room, "%s", title);

    char first_word[16];
    snprintf(first_word, sizeof first_word, "%.*s", (int)strcspn(title, " "), title);
    apus_name_thread(first_word);
}

// MARK: - The system's log

void apus_open_system_log(const char *identity, int facility) {
    static char kept[128];  // openlog keeps the pointer
    snprintf(kept, sizeof kept, "%s", identity);
    openlog(kept, LOG_PID | LOG_NDELAY | LOG_NOWAIT, facility << 3);
}

void apus_write_system_log(int level, const char *message) { syslog(level, "%s", message); }

// MARK: - Crash reports

const char *apus_commit(void) {
#ifdef APUS_COMMIT
    return APUS_COMMIT;
#else
    return "";
#endif
}

// Everything below runs inside a signal handler on a stack of its own, in a process whose heap and
// locks may be in any state: only static memory, open, write and backtrace.
//
// What the server then adds, its figures and the request under way, is told by Swift on the same stack,
// and may crash or hang in turn: everything before it is written by then, and the report ends all the
// same.
enum { maximum_frames = 100, crash_stack_bytes = 1024 * 1024, details_seconds = 5 };
static char crash_log_path[PATH_MAX];
static void (*crash_details)(void *context, int fd);
static void *crash_context;
static volatile sig_atomic_t crash_signal;
static volatile int crash_fd = STDOUT_FILENO;
static char crash_version[128];
static char crash_stack[crash_stack_bytes];
static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};

static void put(int fd, const char *text) {
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t written = write(fd, text, left);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;
        text += written;
        left -= (size_t)written;
    }
}

static void put_number(int fd, uint64_t number, unsigned base) {
    char digits[24];
    char *digit = digits + sizeof digits - 1;
    *digit = 0;
    do *--digit = "0123456789abcdef"[number % base];
    while (number /= base);
    put(fd, digit);
}

static void put_signed(int fd, int64_t number) {
    if (number < 0) put(fd, "-");
    put_number(fd, number < 0 ? -(uint64_t)number : (uint64_t)number, 10);
}

static void put_address(int fd, const void *address) {
    put(fd, "0x");
    put_number(fd, (uintptr_t)address, 16);
}

void apus_log_backtrace(int fd) {
    void *frames[maximum_frames];
    backtrace_symbols_fd(frames, backtrace(frames, maximum_frames), fd);
}

static int first_object(struct dl_phdr_info *info, size_t size, void *base) {
    (void)size;
    *(unsigned long *)base = info->dlpi_addr;
    return 1;
}

int apus_return_addresses(unsigned long *addresses, int most, unsigned long *base) {
    void *frames[maximum_frames];
    int count = backtrace(frames, most < maximum_frames ? most : maximum_frames);
    for (int i = 0; i < count; i++) addresses[i] = (unsigned long)frames[i];
    dl_iterate_phdr(first_object, base);
    return count;
}

// Of the Swift runtime; tools use it likewise.
char *swift_demangle(const char *name, size_t length, char *out, size_t *out_size, uint32_t flags);

char *apus_demangle(const char *symbol) { return swift_demangle(symbol, strlen(symbol), NULL, NULL, 0); }

void apus_free_name(char *name) { free(name); }

static void put_cause(int fd, int number, const siginfo_t *info) {
    put(fd, crash_version);
    put(fd, " crashed by signal: ");
    put_signed(fd, number);
    put(fd, ", si_code: ");
    put_signed(fd, info->si_code);
    put(fd, "\n");
    if (info->si_code <= 0) {  // sent by a process, not raised by an instruction
        put(fd, "Killed by PID: ");
        put_signed(fd, info->si_pid);
        put(fd, ", UID: ");
        put_signed(fd, info->si_uid);
        put(fd, "\n");
    } else {
        put(fd, "Accessing address: ");
        put_address(fd, info->si_addr);
        put(fd, "\n");
    }
}

static void put_instruction(int fd, const ucontext_t *context) {
#if defined(__x86_64__)
    const void *instruction = (const void *)(uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    const void *instruction = (const void *)(uintptr_t)context->uc_mcontext.pc;
#else
    const void *instruction = NULL;
    (void)context;
#endif
    put(fd, "Crashed running the instruction at: ");
    put_address(fd, instruction);
    put(fd, "\n");
}

static void put_registers(int fd, const ucontext_t *context) {
    put(fd, "\n------ REGISTERS ------\n");
#if defined(__x86_64__)
    static const struct { const char *name; int index; } registers[] = {
        {"rax", REG_RAX}, {"rbx", REG_RBX}, {"rcx", REG_RCX}, {"rdx", REG_RDX}, {"rdi", REG_RDI},
        {"rsi", REG_RSI}, {"rbp", REG_RBP}, {"rsp", REG_RSP}, {"r8", REG_R8},   {"r9", REG_R9},
        {"r10", REG_R10}, {"r11", REG_R11}, {"r12", REG_R12}, {"r13", REG_R13}, {"r14", REG_R14},
        {"r15", REG_R15}, {"rip", REG_RIP}, {"efl", REG_EFL}};
    for (size_t i = 0; i < sizeof registers / sizeof *registers; i++) {
        put(fd, registers[i].name);
        put(fd, ": ");
        put_address(fd, (const void *)(uintptr_t)context->uc_mcontext.gregs[registers[i].index]);
        put(fd, "\n");
    }
#elif defined(__aarch64__)
    for (unsigned i = 0; i < 31; i++) {
        put(fd, "x");
        put_number(fd, i, 10);
        put(fd, ": ");
        put_address(fd, (const void *)(uintptr_t)context->uc_mcontext.regs[i]);
        put(fd, "\n");
    }
    put(fd, "sp: ");
    put_address(fd, (const void *)(uintptr_t)context->uc_mcontext.sp);
    put(fd, "\npc: ");
    put_address(fd, (const void *)(uintptr_t)context->uc_mcontext.pc);
    put(fd, "\n");
#else
    (void)context;
    put(fd, "not known on this machine\n");
#endif
}

static int open_crash_log(void) {
    if (!crash_log_path[0]) return STDOUT_FILENO;
    int fd = open(crash_log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 ? STDOUT_FILENO : fd;
}

static _Noreturn void end_report(void) {
    put(crash_fd,
        "\n------ WHAT TO DO ------\n"
        "This is a fault of Apus. Please tell whoever maintains it, with all of this text, and with what\n"
        "was done before; keep the program, whose symbols give the addresses above their names.\n"
        "\n=== REDIS BUG REPORT END. Make sure to include from START to END. ===\n\n");
    signal(crash_signal, SIG_DFL);
    raise(crash_signal);
    _exit(128 + crash_signal);
}

/// A second crash in here, or an alarm, ends the report; a third meets the default action.
static void report_crash(int number, siginfo_t *info, void *context) {
    if (crash_signal) {
        for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) signal(fatal[i], SIG_DFL);
        put(crash_fd, "\n(The rest could not be told.)\n");
        end_report();
    }
    crash_signal = number;
    int fd = crash_fd = open_crash_log();
    put(fd, "\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===\n");
    put_cause(fd, number, info);
    put_instruction(fd, context);
    put_registers(fd, context);
    put(fd, "\n------ STACK TRACE ------\n");
    apus_log_backtrace(fd);
    if (crash_details) {
        sigaction(SIGALRM, &(struct sigaction){.sa_sigaction = report_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK}, NULL);
        alarm(details_seconds);
        crash_details(crash_context, fd);
    }
    end_report();
}

void *apus_install_crash_handlers(const char *log_path, const char *version, void (*details)(void *, int),
                                  void *details_context) {
    snprintf(crash_log_path, sizeof crash_log_path, "%s", log_path ? log_path : "");
    snprintf(crash_version, sizeof crash_version, "%s", version);
    void *previous = crash_context;
    crash_details = details;
    crash_context = details_context;

    // The first call loads the unwinder, which a crashed process must not do.
    void *frame;
    backtrace(&frame, 1);

    stack_t stack = {.ss_sp = crash_stack, .ss_size = sizeof crash_stack};
    sigaltstack(&stack, NULL);
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    action.sa_sigaction = report_crash;
    sigemptyset(&action.sa_mask);
    // Whoever started us may have blocked them, and a blocked one kills without its handler.
    sigset_t unblocked;
    sigemptyset(&unblocked);
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
        sigaction(fatal[i], &action, NULL);
        sigaddset(&unblocked, fatal[i]);
    }
    pthread_sigmask(SIG_UNBLOCK, &unblocked, NULL);
    return previous;
}

static void report_delay(int number) {
    (void)number;
    int saved = errno;
    int fd = open_crash_log();
    put(fd, "\n--- WATCHDOG TIMER EXPIRED ---\n");
    apus_log_backtrace(fd);
    put(fd, "--------\n");
    if (fd != STDOUT_FILENO) close(fd);
    errno = saved;
}

void apus_set_watchdog(int milliseconds) {
    if (milliseconds > 0) {
        struct sigaction action = {.sa_handler = report_delay};
        sigemptyset(&action.sa_mask);
        sigaction(SIGALRM, &action, NULL);
    }
    struct itimerval timer = {
        .it_value = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

void apus_remove_crash_handlers(void) {
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) signal(fatal[i], SIG_DFL);
}
