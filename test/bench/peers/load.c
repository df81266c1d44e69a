/*
 * The near end of rows whose contenders stand between two sockets: it drives them from a process of its own and costs little.
 * Each line of its stdin is one run, which it answers with a line `OPERATIONS MICROSECONDS`; load.ts is the same for machines
 * without a compiler.
 *
 *   echo PORT CONNECTIONS MS   64 bytes there and back, over and over, on each connection; operations are answers
 *   take PORT BYTES            orders so many bytes (see peer.c) on one connection; operations are MiB
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE 64
#define EVENTS 512
#define MIB 1048576

static char buffer[MIB];

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int dial(int port) {
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  if (connect(fd, (void *)&address, sizeof address)) {
    perror("connect");
    exit(1);
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static void say(int fd) {
  if (send(fd, buffer, MESSAGE, MSG_NOSIGNAL) != MESSAGE) exit(1);
}

static void echo(int port, int connections, int ms) {
  int poller = epoll_create1(0), *fds = calloc(connections, sizeof *fds), *got = calloc(connections, sizeof *got);
  for (int i = 0; i < connections; i++) {
    fds[i] = dial(port);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
    epoll_ctl(poller, EPOLL_CTL_ADD, fds[i], &event);
    /* One there and back before the clock begins, so that what connects behind is connected. */
    say(fds[i]);
    for (int n = 0; n < MESSAGE;) {
      ssize_t count = recv(fds[i], buffer, MESSAGE - n, 0);
      if (count <= 0) exit(1);
      n += count;
    }
  }
  double from = now_us(), until = from + ms * 1e3, now = from;
  long answers = 0;
  int open = connections;
  for (int i = 0; i < connections; i++) say(fds[i]);
  struct epoll_event events[EVENTS];
  while (open) {
    int count = epoll_wait(poller, events, EVENTS, -1);
    now = now_us();
    for (int e = 0; e < count; e++) {
      int i = events[e].data.u32;
      ssize_t n = recv(fds[i], buffer, MESSAGE - got[i], 0);
      if (n <= 0) exit(1);
      if ((got[i] += n) < MESSAGE) continue;
      got[i] = 0;
      answers++;
      if (now < until)
        say(fds[i]);
      else {
        epoll_ctl(poller, EPOLL_CTL_DEL, fds[i], NULL);
        open--;
      }
    }
  }
  printf("%ld %.0f\n", answers, now - from);
  for (int i = 0; i < connections; i++) close(fds[i]);
  close(poller);
  free(fds);
  free(got);
}

static void take(int port, uint64_t bytes) {
  int fd = dial(port);
  uint64_t order = htobe64(bytes), left = bytes;
  double from = now_us();
  if (send(fd, &order, 8, MSG_NOSIGNAL) != 8) exit(1);
  while (left) {
    ssize_t n = recv(fd, buffer, MIB, 0);
    if (n <= 0) exit(1);
    left -= n;
  }
  printf("%.0f %.0f\n", (double)bytes / MIB, now_us() - from);
  close(fd);
}

int main(void) {
  char line[256], what[16];
  memset(buffer, 'a', MIB);
  while (fgets(line, sizeof line, stdin)) {
    long port = 0, first = 0, second = 0;
    if (sscanf(line, "%15s %ld %ld %ld", what, &port, &first, &second) < 3) return 2;
    if (!strcmp(what, "echo"))
      echo(port, first, second);
    else
      take(port, first);
    fflush(stdout);
  }
  return 0;
}
