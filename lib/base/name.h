/* SPDX-License-Identifier: MIT */
#ifndef BASE_NAME_H
#define BASE_NAME_H

/*
 * The one place that says which names and ids Prism may use. The central service, the agent that
 * publishes, and every reader that grants ask here; none of them trusts another to have asked.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USERNAME_MAX 32
#define SLUG_MAX     27 /* "p-" and "-ro" around it stay within 32 */
#define GECOS_MAX    128
#define EMAIL_MAX    254 /* RFC 5321 §4.5.3.1 */

/* The default ranges; the register and each host's prism.conf may narrow or move them. */
#define UID_FIRST	  10001u
#define UID_LAST	  1999999u
#define GID_FIRST	  2000000u
#define GID_LAST	  2999999u
/* The two groups that every host carries, at the start of the gid range. */
#define GID_PRISM_USERS	  0u  /* offset in the gid range: everybody of Prism; sshd's Match Group */
#define GID_PRISM_SUDO	  1u  /* offset: those whose role may sudo, where the host allows it */
#define GID_RESERVED	  16u /* offsets below this are never given to a project */
#define GROUP_PRISM_USERS "prism-users"
#define GROUP_PRISM_SUDO  "prism-sudo"

/* Nothing below this is ever Prism's, whatever a file or a configuration says. */
#define ID_FLOOR 1000u

/*
 * A username: lowercase POSIX portable names, [a-z_][a-z0-9_-]*, 2 to 32 characters, that is not
 * reserved and does not begin with "p-" or "g-".
 */
bool username_valid(const char *s);

/* A slug of a project or group: [a-z][a-z0-9-]*, 2 to 27, not ending in "-" or "-ro". */
bool slug_valid(const char *s);

/*
 * A group name that a snapshot may carry: "p-SLUG", "p-SLUG-ro", "g-SLUG", "prism-users",
 * "prism-sudo".
 */
bool groupname_valid(const char *s);

/* Names that mean power or belong to the system: root, docker, sudo, wheel, nobody, ... */
bool name_reserved(const char *s);

/*
 * An id that a person, project or group may have: within [first, last], at least ID_FLOOR, and
 * outside the blocks that systemd and nobody own (60000-65535) and the two "no id" values.
 */
bool id_allowed(uint32_t id, uint32_t first, uint32_t last);

/* One line of printable UTF-8 without ':' or control characters, at most GECOS_MAX bytes. */
bool gecos_valid(const char *s);

/* addr-spec as people have it: one '@', a dot-atom and a domain with a dot; no CR, LF, quotes. */
bool email_valid(const char *s);

/* An absolute path without "..", "//", ':' or control characters, at most 255 bytes. */
bool path_valid(const char *s);

/*
 * One public key line as authorized_keys has it, "TYPE BASE64 [COMMENT]", without options: the type
 * is one that Prism accepts and the base64 decodes to a blob that begins with that type.
 * At most SSHKEY_LINE_MAX bytes, no newline.
 */
#define SSHKEY_LINE_MAX 1400
bool sshkey_line_valid(const char *s);

#endif
