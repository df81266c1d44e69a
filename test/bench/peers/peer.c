/*
 * The far end of all rows, in one thread of a process of its own. It does as little as it can, so that it is not what is
 * measured; peer.ts is the same for machines without a compiler. It writes its ports as JSON and ends with its stdin.
 *
 *   echo    sends back what it gets
 *   bulk    for each 8 bytes, a big-endian count, sends so many bytes
 *   lines   likewise, lines of 100 bytes
 *   sink    for each 8 bytes, a big-endian count, takes so many bytes and then sends one
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum kind { ECHO, BULK, LINES, SINK, KINDS };
static const char *names[KINDS] = {"echo", "bulk", "lines", "sink"};

#define BLOCK 262144
#define LINE 100
/* A whole number of lines. */
#define LINES_BLOCK (BLOCK / LINE * LINE)
#define EVENTS 512

static char fill[BLOCK], lines[LINES_BLOCK], scratch[BLOCK];

struct conn {
  int fd, listens;
  enum kind kind;
  /* An order of 8 bytes that is coming in; bytes owed (bulk) or awaited (sink); where in the block the next one lies. */
  unsigned char order[8];
  int ordered;
  uint64_t owed;
  size_t at;
  /* An echo that the kernel did not take. */
  char *kept;
  size_t kept_from, kept_to;
};

static int poller;

static void watch(struct conn *c, int op, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  if (epoll_ctl(poller, op, c->fd, &event)) perror("epoll_ctl");
}

static void end(struct conn *c) {
  close(c->fd);
  free(c->kept);
  free(c);
}

static int send_owed(struct conn *c) {
  const char *block = c->kind == LINES ? lines : fill;
  size_t length = c->kind == LINES ? LINES_BLOCK : BLOCK;
  while (c->owed) {
    size_t part = length - c->at < c->owed ? length - c->at : c->owed;
    ssize_t sent = send(c->fd, block + c->at, part, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN ? 0 : -1;
    c->owed -= sent;
    c->at = (c->at + sent) % length;
  }
  return 0;
}

/* Orders of 8 bytes, however they are cut. */
static int take_orders(struct conn *c, const char *bytes, ssize_t count) {
  for (ssize_t i = 0; i < count; i++) {
    c->order[c->ordered++] = bytes[i];
    if (c->ordered < 8) continue;
    uint64_t n;
    memcpy(&n, c->order, 8);
    c->owed += be64toh(n);
    c->ordered = 0;
  }
  return send_owed(c);
}

static int take_sink(struct conn *c, const char *bytes, ssize_t count) {
  while (count) {
    if (!c->owed) {
      c->order[c->ordered++] = *bytes++;
      count--;
      if (c->ordered < 8) continue;
      uint64_t n;
      memcpy(&n, c->order, 8);
      c->owed = be64toh(n);
      c->ordered = 0;
      continue;
    }
    uint64_t part = (uint64_t)count < c->owed ? (uint64_t)count : c->owed;
    bytes += part;
    count -= part;
    c->owed -= part;
    if (!c->owed && send(c->fd, "k", 1, MSG_NOSIGNAL) != 1) return -1;
  }
  return 0;
}

static int send_echo(struct conn *c, const char *bytes, ssize_t count) {
  ssize_t sent = send(c->fd, bytes, count, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return -1;
  if (sent < 0) sent = 0;
  if (sent == count) return 0;
  if (!c->kept) c->kept = malloc(BLOCK);
  memcpy(c->kept, bytes + sent, count - sent);
  c->kept_from = 0;
  c->kept_to = count - sent;
  /* Reads no more until that has gone. */
  watch(c, EPOLL_CTL_MOD, EPOLLOUT);
  return 0;
}

static int on_readable(struct conn *c) {
  for (;;) {
    ssize_t count = recv(c->fd, scratch, BLOCK, 0);
    if (count == 0) return -1;
    if (count < 0) return errno == EAGAIN ? 0 : -1;
    int failed = c->kind == ECHO   ? send_echo(c, scratch, count)
                 : c->kind == SINK ? take_sink(c, scratch, count)
                                   : take_orders(c, scratch, count);
    if (failed) return -1;
    if (c->kept_to > c->kept_from) return 0;
    if (count < BLOCK && c->kind != SINK) return 0;
  }
}

static int on_writable(struct conn *c) {
  if (c->kind != ECHO) return send_owed(c);
  while (c->kept_from < c->kept_to) {
    ssize_t sent = send(c->fd, c->kept + c->kept_from, c->kept_to - c->kept_from, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN ? 0 : -1;
    c->kept_from += sent;
  }
  watch(c, EPOLL_CTL_MOD, EPOLLIN);
  return 0;
}

static void on_client(struct conn *l) {
  for (;;) {
    int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0) return;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct conn *c = calloc(1, sizeof *c);
    c->fd = fd;
    c->kind = l->kind;
    int sends = c->kind == BULK || c->kind == LINES;
    watch(c, EPOLL_CTL_ADD, sends ? EPOLLIN | EPOLLOUT | EPOLLET : EPOLLIN);
  }
}

static int listen_at_any(enum kind kind) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  struct conn *l = calloc(1, sizeof *l);
  l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  l->kind = kind;
  l->listens = 1;
  if (bind(l->fd, (void *)&address, length) || listen(l->fd, 4096)) exit(1);
  getsockname(l->fd, (void *)&address, &length);
  watch(l, EPOLL_CTL_ADD, EPOLLIN);
  return ntohs(address.sin_port);
}

int main(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  memset(fill, 'a', BLOCK);
  memset(lines, 'a', LINES_BLOCK);
  for (size_t i = LINE - 1; i < LINES_BLOCK; i += LINE) lines[i] = '\n';
  poller = epoll_create1(0);
  for (int kind = 0; kind < KINDS; kind++)
    printf("%s\"%s\":%d", kind ? "," : "{", names[kind], listen_at_any(kind));
  printf("}\n");
  fflush(stdout);
  struct conn parent = {.fd = 0};
  watch(&parent, EPOLL_CTL_ADD, EPOLLIN);
  struct epoll_event events[EVENTS];
  for (;;) {
    int count = epoll_wait(poller, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
      struct conn *c = events[i].data.ptr;
      uint32_t what = events[i].events;
      if (c == &parent) {
        if (read(0, scratch, BLOCK) <= 0) return 0;
      } else if (c->listens)
        on_client(c);
      else if (((what & (EPOLLIN | EPOLLHUP | EPOLLERR)) && on_readable(c)) || ((what & EPOLLOUT) && on_writable(c)))
        end(c);
    }
  }
}
