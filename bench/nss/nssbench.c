/* SPDX-License-Identifier: MIT */
/*
 * nssbench [options] MODULE...: how long lookups take in NSS modules that serve the same data.
 *
 * A MODULE is a path whose last part is libnss_NAME.so.2, "libc" for glibc's own files, or
 * "glibc:NAME" for getpwnam_r() and its like, whatever stands behind them, shown as NAME. Functions
 * of a module are called directly. Keys are random ones that exist, and random ones that do not.
 * The modules take turns, batch by batch, so that whatever else the machine does meets them all.
 * Answers are checked before they are timed.
 *
 *   -u FILE  users.keys, -g FILE  groups.keys: "name:id" a line (nssdata makes them)
 *   -t N     threads (1)        -b N  batches (11)      -m MS  length of a batch (20)
 *   -o A,B   operations (all)   -s N  single calls for the percentiles (2000)
 *   -p       ask for each key once before anything is timed, for who answers from a cache
 *   -n N     the same N calls between write(-1, "BEGIN") and write(-1, "END"), for strace;
 *            prints how much the memory of the process has grown
 *
 * Prints a line "op threads module median min max p50 p99": ns a call, then ns of single calls.
 */
#include <err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "bench/nss/ops.h"

#define THREADS_MAX 16
#define BATCHES_MAX 101
#define KEYS_MAX    200000
#define MODULES_MAX 16

static struct options {
	const char *users, *groups, *ops;
	int threads, batches, ms, samples;
	bool prime;
	long loop;
} options = {.ops = "", .threads = 1, .batches = 11, .ms = 20, .samples = 2000};

struct job {
	const struct op *op;
	const struct module *module;
	struct answer *answer;
	struct key *keys;
	size_t n, found, failed;
	uint64_t ns;
	pthread_barrier_t *start;
};

/* One module's part of one operation. */
struct series {
	size_t n; /* calls in a batch */
	double ns[BATCHES_MAX];
	uint64_t p50, p99;
	const char *problem;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void run(struct job *j)
{
	int (*call)(const struct module *, struct answer *, const struct key *) = j->op->call;
	uint64_t start;

	j->found = j->failed = 0;
	start = now_ns();
	for (size_t i = 0; i < j->n; i++) {
		int r = call(j->module, j->answer, &j->keys[i]);

		j->found += r == 1;
		j->failed += r < 0;
	}
	j->ns = now_ns() - start;
}

static void *run_thread(void *arg)
{
	struct job *j = arg;

	pthread_barrier_wait(j->start);
	run(j);
	return NULL;
}

static void fill(struct job *j, uint64_t *seed)
{
	for (size_t i = 0; i < j->n; i++)
		key_fill(&j->keys[i], j->op, seed);
}

static const char *verify(struct job *j, uint64_t *seed)
{
	for (int i = 0; i < 50; i++) {
		struct key k;
		uint64_t start = now_ns();
		int r;

		key_fill(&k, j->op, seed);
		r = j->op->call(j->module, j->answer, &k);
		if (r != !j->op->miss)
			return r < 0 ? "FAILED" : "WRONG";
		if (r == 1 && !answer_right(j->op, j->answer, &k))
			return "WRONG";
		if (i > 2 && now_ns() - start > 10000000)
			break;
	}
	return NULL;
}

static void calibrate(struct job *j, struct series *s, uint64_t *seed)
{
	for (j->n = 1; j->n < KEYS_MAX; j->n *= 2) {
		fill(j, seed);
		run(j);
		if (j->ns > 2000000)
			break;
	}
	s->n = (size_t)((double)options.ms * 1e6 / ((double)(j->ns + 1) / (double)j->n)) + 1;
	if (s->n > KEYS_MAX)
		s->n = KEYS_MAX;
}

static void batch(struct job *jobs, struct series *s, int index, uint64_t *seed)
{
	pthread_t threads[THREADS_MAX];
	pthread_barrier_t start;
	uint64_t sum = 0;

	pthread_barrier_init(&start, NULL, (unsigned)options.threads);
	for (int t = 0; t < options.threads; t++) {
		jobs[t].n = s->n;
		jobs[t].start = &start;
		fill(&jobs[t], seed);
	}
	if (options.threads == 1) {
		run(&jobs[0]);
	} else {
		for (int t = 0; t < options.threads; t++)
			pthread_create(&threads[t], NULL, run_thread, &jobs[t]);
		for (int t = 0; t < options.threads; t++)
			pthread_join(threads[t], NULL);
	}
	for (int t = 0; t < options.threads; t++) {
		sum += jobs[t].ns;
		if (jobs[t].failed != 0 || jobs[t].found != (jobs[t].op->miss ? 0 : jobs[t].n))
			s->problem = "WRONG";
	}
	s->ns[index] = (double)sum / (double)s->n / options.threads;
	pthread_barrier_destroy(&start);
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void single_calls(struct job *j, struct series *s, uint64_t *seed)
{
	size_t n = (size_t)options.samples;
	uint64_t *ns = calloc(n + 1, sizeof(*ns)), began = now_ns();

	if (!ns)
		err(2, "samples");
	for (size_t i = 0; i < n; i++) {
		struct key k;
		uint64_t start;

		key_fill(&k, j->op, seed);
		start = now_ns();
		j->op->call(j->module, j->answer, &k);
		ns[i] = now_ns() - start;
		if (now_ns() - began > 1000000000ull)
			n = i + 1;
	}
	qsort(ns, n, sizeof(*ns), compare_u64);
	s->p50 = ns[n / 2];
	s->p99 = ns[n * 99 / 100];
	free(ns);
}

static void aim(struct job *jobs, const struct op *op, const struct module *m)
{
	for (int t = 0; t < options.threads; t++) {
		jobs[t].op = op;
		jobs[t].module = m;
	}
}

static void print_series(const struct op *op, const struct module *m, struct series *s)
{
	int n = options.batches;

	if (s->problem) {
		printf("%s\t%d\t%s\t%s\n", op->name, options.threads, m->name, s->problem);
		return;
	}
	qsort(s->ns, (size_t)n, sizeof(s->ns[0]), compare_double);
	printf("%s\t%d\t%s\t%.1f\t%.1f\t%.1f\t%lu\t%lu\n", op->name, options.threads, m->name,
	    s->ns[n / 2], s->ns[0], s->ns[n - 1], s->p50, s->p99);
	fflush(stdout);
}

static void measure(const struct op *op, const struct module *modules, size_t n, struct job *jobs)
{
	struct series series[MODULES_MAX] = {0};
	uint64_t seed = 1;

	for (size_t i = 0; i < n; i++) {
		aim(jobs, op, &modules[i]);
		if (options.prime && op_present(op, &modules[i]))
			keys_prime(op, &modules[i], jobs[0].answer);
		series[i].problem =
		    op_present(op, &modules[i]) ? verify(&jobs[0], &seed) : "ABSENT";
		if (!series[i].problem)
			calibrate(&jobs[0], &series[i], &seed);
	}
	for (int b = 0; b < options.batches; b++)
		for (size_t i = 0; i < n; i++) {
			aim(jobs, op, &modules[i]);
			if (!series[i].problem)
				batch(jobs, &series[i], b, &seed);
		}
	for (size_t i = 0; i < n; i++) {
		aim(jobs, op, &modules[i]);
		if (!series[i].problem)
			single_calls(&jobs[0], &series[i], &seed);
		print_series(op, &modules[i], &series[i]);
	}
}

/* A line of /proc/self/status, in KiB. */
static long memory(const char *what)
{
	FILE *f = fopen("/proc/self/status", "re");
	size_t n = strlen(what);
	char line[256];
	long kib = 0;

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, what, n) == 0 && line[n] == ':')
			kib = strtol(line + n + 1, NULL, 10);
	if (f)
		fclose(f);
	return kib;
}

/* For strace: the same calls as are timed, once warm, between two marks. */
static void loop(const struct op *op, const struct module *m, struct job *j)
{
	long anonymous, file;
	uint64_t seed = 1;

	aim(j, op, m);
	j->n = options.loop < KEYS_MAX ? (size_t)options.loop : KEYS_MAX;
	fill(j, &seed);
	memory("RssAnon"); /* stdio's own buffer */
	anonymous = memory("RssAnon");
	file = memory("RssFile");
	run(j);
	(void)!write(-1, "BEGIN", 5);
	run(j);
	(void)!write(-1, "END", 3);
	printf("%s\t%s\t%zu calls, %zu found, %zu failed, RssAnon +%ld KiB, RssFile +%ld KiB\n",
	    op->name, m->name, j->n, j->found, j->failed, memory("RssAnon") - anonymous,
	    memory("RssFile") - file);
}

static bool chosen(const struct op *op)
{
	size_t n = strlen(op->name);

	for (const char *p = options.ops; (p = strstr(p, op->name)) != NULL; p += n)
		if ((p == options.ops || p[-1] == ',') && (p[n] == ',' || p[n] == '\0'))
			return true;
	return options.ops[0] == '\0';
}

static void parse(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "u:g:t:b:m:o:s:n:p")) != -1) {
		long v = optarg ? strtol(optarg, NULL, 10) : 0;

		switch (c) {
		case 'u':
			options.users = optarg;
			break;
		case 'g':
			options.groups = optarg;
			break;
		case 'o':
			options.ops = optarg;
			break;
		case 't':
			options.threads = v < 1 ? 1 : v > THREADS_MAX ? THREADS_MAX : (int)v;
			break;
		case 'b':
			options.batches = v < 1 ? 1 : v > BATCHES_MAX ? BATCHES_MAX : (int)v;
			break;
		case 'm':
			options.ms = v < 1 ? 1 : (int)v;
			break;
		case 's':
			options.samples = v < 1 ? 1 : (int)v;
			break;
		case 'n':
			options.loop = v;
			break;
		case 'p':
			options.prime = true;
			break;
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct module modules[MODULES_MAX];
	struct job jobs[THREADS_MAX] = {0};
	size_t n = 0;

	parse(argc, argv);
	if (!options.users || !options.groups || optind == argc || argc - optind > MODULES_MAX)
		errx(2, "usage: nssbench -u FILE -g FILE [options] MODULE...");
	keys_load(options.users, options.groups);
	for (; optind < argc; optind++)
		module_load(argv[optind], &modules[n++]);
	for (int t = 0; t < options.threads; t++) {
		jobs[t].answer = answer_new();
		jobs[t].keys = calloc(KEYS_MAX, sizeof(struct key));
		if (!jobs[t].keys)
			err(2, "keys");
	}
	for (const struct op *op = ops; op->name; op++) {
		if (!chosen(op))
			continue;
		if (options.loop > 0)
			loop(op, &modules[0], &jobs[0]);
		else
			measure(op, modules, n, jobs);
	}
	return 0;
}
