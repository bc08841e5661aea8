/* SPDX-License-Identifier: MIT */

/*
 * helper_rewrite USERS TIMES: the CPU milliseconds that it takes to compile and write the three
 * snapshots of so many users once, with nothing around it; the average over TIMES.
 */
#include <sys/stat.h>
#include <time.h>
#include "prism-sync/compile.h"
#include "sync/forge.h"

static double cpu_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void die_if(bool bad, const char *what)
{
	if (!bad)
		return;
	perror(what);
	exit(1);
}

static void apply(struct forge *f, struct model *m, const struct buf *msg)
{
	struct feed_trust t = {.nkeys = 1};
	struct feed_header h;
	struct wire w;

	memcpy(t.keys[0], feed_signer_public(f->signer), FEED_KEY_LEN);
	die_if(feed_open(&t, msg->data, msg->len, &h, &w) < 0, "feed_open");
	die_if((h.kind == FEED_MANIFEST ? model_apply_manifest(m, &h, w, NULL, NULL)
					: model_apply_feed(m, &h, w)) < 0,
	    "apply");
}

int main(int argc, char **argv)
{
	static struct forge f;
	static struct model m;
	static struct config c;
	static struct local l;
	struct forge *all[] = {&f};
	struct buf msg = BUF_INIT(FEED_MESSAGE_MAX);
	char dir[] = "/tmp/prism-rewrite-XXXXXX";
	unsigned users = argc > 1 ? (unsigned)atoi(argv[1]) : 1000,
		 times = argc > 2 ? (unsigned)atoi(argv[2]) : 5;

	forge_init(&f, 1, "lab");
	for (unsigned i = 0; i < users; i++) {
		char name[32];

		snprintf(name, sizeof(name), "user%u", 100001 + i);
		forge_member(&f, 100001 + i, name);
	}
	config_defaults(&c);
	model_init(&m, f.host);
	forge_manifest(&f, all, 1, NULL, &msg);
	apply(&f, &m, &msg);
	forge_full(&f, &msg);
	apply(&f, &m, &msg);
	buf_free(&msg);
	die_if(local_refresh(&l, "/etc/passwd", "/etc/group") < 0, "passwd");
	die_if(mkdtemp(dir) == NULL, "mkdtemp");
	double start = cpu_ms();

	for (unsigned i = 0; i < times; i++) {
		struct compiled out;

		die_if(compile(&m, &c, &l, i + 1, FORGE_NOW, &out) < 0, "compile");
		die_if(compiled_publish(&out, dir, -1, &(uint64_t){0}) < 0, "publish");
		compiled_release(&out);
	}
	printf("%.1f\n", (cpu_ms() - start) / times);
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = {
		    SNAPSHOT_IDENTITY, SNAPSHOT_ACCESS, SNAPSHOT_KEYS};
		char path[200];

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
	return 0;
}
