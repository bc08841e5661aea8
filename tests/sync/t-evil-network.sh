#!/bin/bash
# SPDX-License-Identifier: MIT
# The root half against a network half that somebody else has taken over: it is replaced, by way of
# the prctl() with which it takes its name, as soon as it is born.
set -u
cd "$(dirname "$0")/../.." || exit 2
dir=$(mktemp -d) || exit 2
# shellcheck source=tests/sync/agent.sh
. tests/sync/agent.sh
finish() { agent_stop -KILL; central_stop; tests/keep-logs.sh "$dir"; rm -rf "$dir"; }
trap finish EXIT

cat >"$dir/evil.c" <<'END'
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FRAME = 1, POLLED = 2 };

static size_t message(uint8_t *p, int type, const void *body, uint32_t n)
{
	memset(p, 0, 8);
	memcpy(p, &n, 4);
	p[4] = (uint8_t)type;
	memcpy(p + 8, body, n);
	return 8 + n;
}

static void flood(int fd)
{
	static uint8_t all[1 << 16];
	size_t n = 0;

	while (n + 16 < sizeof(all))
		n += message(all + n, FRAME, "not signed", 8);
	while (send(fd, all, n, MSG_NOSIGNAL) > 0)
		;
}

/* A message that says that a pinned key signed it, so many MB long. */
static void big(int fd)
{
	size_t n = strtoul(getenv("EVIL_MB"), NULL, 10) << 20;
	uint8_t *all = calloc(1, n + 64);

	message(all, FRAME, "PRSMFED1\1", 9);
	for (size_t i = 0; i < 16; i++) {
		char two[3] = {getenv("EVIL_KEY")[2 * i], getenv("EVIL_KEY")[2 * i + 1], 0};

		all[8 + 12 + i] = (uint8_t)strtoul(two, NULL, 16);
	}
	memcpy(all, &n, 4);
	for (size_t at = 0; at < 8 + n;) {
		ssize_t put = send(fd, all + at, 8 + n - at, MSG_NOSIGNAL);

		if (put <= 0)
			_exit(1);
		at += (size_t)put;
	}
	pause();
}

/* "Disconnected", for a reason that would clear the reader's screen and is no UTF-8. */
static void escape(int fd)
{
	static const char why[] = "\x1b[2J\x1b[31m\xff\xc2\x9b evil";
	uint8_t body[64] = {0}, all[128];
	int32_t rc = -5;
	uint16_t n = sizeof(why) - 1;

	memcpy(body + 8, &rc, 4);
	memcpy(body + 20, &n, 2);
	memcpy(body + 22, why, n);
	send(fd, all, message(all, POLLED, body, 22u + n), MSG_NOSIGNAL);
	pause();
}

int prctl(int op, ...)
{
	va_list ap;
	unsigned long a[4];

	va_start(ap, op);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(ap, unsigned long);
	va_end(ap);
	if (op != PR_SET_NAME || strcmp((const char *)a[0], "prism-sync-net") != 0)
		return (int)syscall(SYS_prctl, op, a[0], a[1], a[2], a[3]);
	for (int fd = 3; fd < 64; fd++) {
		int type;
		socklen_t n = sizeof(type);

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0 || type != SOCK_STREAM)
			continue;
		(strcmp(getenv("EVIL"), "flood") == 0 ? flood :
		 strcmp(getenv("EVIL"), "big") == 0   ? big : escape)(fd);
	}
	_exit(0);
}
END
${CC:-cc} -shared -fPIC -o "$dir/evil.so" "$dir/evil.c" || exit 2

evil_start() { # HOW
  local ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0
  export ASAN_OPTIONS EVIL=$1 LD_PRELOAD=$dir/evil.so
  "$B/prism-sync" --root "$dir/h" --no-drop run >/dev/null 2>"$dir/agent.log" &
  agent_pid=$!
  unset LD_PRELOAD
  until_true 5 test -S "$dir/h/run/prism/agent.sock"
}

json_status() { agent status --json >"$dir/status"; }
thrice() { "$@" && "$@" && "$@"; }

central_start
host_enrol

evil_start flood
check "D6 a network half that floods the link does not keep others from an answer" thrice json_status
agent_stop -KILL

evil_start escape
until_true 5 grep -q disconnected "$dir/agent.log"
check "D6 what the network half gives as a reason can still be read as JSON" json_status
agent status >"$dir/text" 2>&1
check "D6 it reaches the reader" grep -q 'evil' "$dir/text"
check "D6 and holds nothing that a terminal obeys" \
  bash -c '! LC_ALL=C grep -q "[^[:print:][:space:]]" "$1"' - "$dir/text"
agent_stop -KILL

# What a message costs before its signature is known to be bad: itself, not a second time.
peak_below() { [ "$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$agent_pid/status")" -lt $(($1 * 1024)) ]; }
agent_ended() { ! kill -0 "$agent_pid" 2>/dev/null; }
EVIL_KEY=$(printf %s "$key" | xxd -r -p | sha256sum | head -c 32)
export EVIL_KEY EVIL_MB=120
evil_start big
check "D6 a long message that nobody signed is refused" until_true 20 grep -q 'message-refused.*bad-signature' "$dir/agent.log"
check "D6 and took no more memory than it is long, and a little" peak_below 200
agent_stop -KILL
export EVIL_MB=129
evil_start big
check "D6 a message over max_feed_mb is not even read" until_true 5 agent_ended
check "D6 and the agent says that it starts anew" grep -q network-half-gone "$dir/agent.log"
echo "1..$ok_count"
