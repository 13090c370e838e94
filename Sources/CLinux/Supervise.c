#define _GNU_SOURCE
#include "CLinux.h"
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

// Between fork and exec, a process that had threads may only make calls that are safe in signal handlers. So nothing
// here allocates.

enum { lifeline_descriptor = 3, patience_rounds = 50, round_nanoseconds = 100 * 1000 * 1000 };

static volatile sig_atomic_t is_ending;

static void note_child(int number) { (void)number; }

static void note_end(int number) {
  (void)number;
  is_ending = 1;
}

static void handle(int number, void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler};
  sigfillset(&action.sa_mask);
  sigaction(number, &action, NULL);
}

static void close_from(int first) {
  if (syscall(SYS_close_range, first, ~0U, 0) == 0) return;
  struct rlimit limit;
  int end = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 1 << 16 ? (int)limit.rlim_cur : 1 << 16;
  for (int descriptor = first; descriptor < end; descriptor++) close(descriptor);
}

/// Sends a signal to all children of this process. If a child ends, its children become children of this process.
/// Returns true if there are any to wait for. A child that runs as another user by now and cannot be signalled is
/// waited for only while `is_patient`.
static int signal_children(int number, pid_t known, int is_patient) {
  char text[4096];
  int file = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
  if (file < 0) return known > 0 && (kill(known, number) == 0 || (errno == EPERM && is_patient));
  ssize_t count = read(file, text, sizeof text);
  close(file);
  int found = 0;
  pid_t process = 0;
  for (ssize_t index = 0; index < count; index++) {
    if (text[index] >= '0' && text[index] <= '9') {
      process = process * 10 + (text[index] - '0');
    } else if (process > 0) {
      if (kill(process, number) == 0 || (errno == EPERM && is_patient)) found = 1;
      process = 0;
    }
  }
  return found;
}

/// Ends this process in the way in which the command ended.
static _Noreturn void leave(int status) {
  if (WIFSIGNALED(status)) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    handle(WTERMSIG(status), SIG_DFL);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    kill(getpid(), WTERMSIG(status));
  }
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/// Waits for the command. Ends it, with everything that it started, when this process gets SIGTERM, or when no process
/// holds the other end of the lifeline any more.
static _Noreturn void watch(pid_t command) {
  sigset_t waiting;
  sigfillset(&waiting);
  sigdelset(&waiting, SIGCHLD);
  sigdelset(&waiting, SIGTERM);
  int status = 0, is_over = 0;
  for (int round = 0;;) {
    int some;
    pid_t ended;
    while ((ended = waitpid(-1, &some, WNOHANG)) > 0) {
      if (ended != command) continue;
      status = some;
      is_over = 1;
    }
    if (is_over && !is_ending) leave(status);
    int is_patient = round < patience_rounds;
    if (is_ending && !signal_children(is_patient ? SIGTERM : SIGKILL, is_over ? 0 : command, is_patient)) {
      leave(is_over ? status : SIGTERM);
    }
    if (is_ending && is_patient) round++;
    struct pollfd lifeline = {lifeline_descriptor, POLLIN, 0};
    struct timespec pause = {0, round_nanoseconds};
    if (ppoll(is_ending ? NULL : &lifeline, is_ending ? 0 : 1, is_ending ? &pause : NULL, &waiting) > 0) is_ending = 1;
  }
}

static _Noreturn void supervise(
    const char *shell, const char *command, char *const environment[], int input, int output, int lifeline) {
  for (int number = 1; number < NSIG; number++) handle(number, SIG_DFL);
  handle(SIGCHLD, note_child);
  handle(SIGTERM, note_end);
  // Neither end is descriptor 0, 1 or 2, because those are open.
  dup2(input >= 0 ? input : open("/dev/null", O_RDONLY), 0);
  dup2(output >= 0 ? output : 2, 1);
  if (lifeline != lifeline_descriptor) dup2(lifeline, lifeline_descriptor);
  close_from(lifeline_descriptor + 1);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  pid_t child = fork();
  if (child == 0) {
    char *const arguments[] = {"sh", "-c", (char *)command, NULL};
    sigset_t none;
    sigemptyset(&none);
    close(lifeline_descriptor);
    handle(SIGCHLD, SIG_DFL);
    handle(SIGTERM, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(shell, arguments, environment);
    _exit(127);
  }
  if (child < 0) _exit(126);
  // The reader of the command's output waits until the command closes it, so this process must not hold it open.
  for (int descriptor = 0; descriptor < lifeline_descriptor; descriptor++) close(descriptor);
  watch(child);
}

pid_t holdfast_supervise(
    const char *shell, const char *command, char *const environment[], int input, int output, int *lifeline) {
  int ends[2];
  if (holdfast_pipe(ends) != 0) return -1;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t process = fork();
  if (process == 0) supervise(shell, command, environment, input, output, ends[0]);
  int code = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  close(ends[0]);
  if (process < 0) {
    close(ends[1]);
    errno = code;
    return -1;
  }
  *lifeline = ends[1];
  return process;
}

char *const *holdfast_environment(void) { return environ; }
