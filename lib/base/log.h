/* SPDX-License-Identifier: MIT */
#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * Structured logging for programs; library code and modules never log.
 *
 * One line an event: `LEVEL event key="value" ...`, on standard error, with the <N> priority prefix
 * of sd-daemon(3) when standard error is the journal (JOURNAL_STREAM) and an RFC 3339 time in front
 * otherwise. Values are escaped, so a hostile string cannot forge a line. Secrets and bodies are
 * never passed here, not even for debugging.
 */
#include "base/attr.h"

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* Once, before the first event. "program" must outlive the process. Default: info. */
void log_init(const char *program, enum log_level max);

/*
 * log_event(LOG_LEVEL_INFO, "publish", "generation", "%lu", gen, "took_ms", "%ld", ms, NULL):
 * after the event a list of key, printf format, its one argument; NULL ends it. Each format takes
 * exactly one argument of the kind %s %d %u %ld %lu %lld %llu.
 */
void log_event(enum log_level level, const char *event, ...);

/* The same with one free sentence for a person: LEVEL event msg="...". */
void log_msg(enum log_level level, const char *event, const char *fmt, ...) _printf_(3, 4);

#endif
