/* SPDX-License-Identifier: MIT */
#ifndef SHAPE_H
#define SHAPE_H

/*
 * What a response may look like, checked before any signature is.
 *
 * Signature wrapping lives of documents in which the element that was signed is not the one that
 * is read. So a document that leaves any doubt is refused: one response, which is the root; one
 * assertion, encrypted or not, which is its child, and no other anywhere; signatures only as
 * children of these two, each over its own parent and nothing else, by the methods listed in
 * signature.c; no ID twice; nothing but elements, attributes and text.
 */
#include "tree.h"

struct shape {
	xmlNode *response, *assertion; /* NULL: there is none */
	xmlNode *encrypted;
	xmlNode *response_signature, *assertion_signature; /* NULL: not signed */
};

/* Of a document with a response. 0, or -EBADMSG with the fault. Without an assertion it is 0. */
int shape_check(xmlDoc *doc, struct fault *f, struct shape *ret);
/* Of an assertion by itself, as decryption yields it. */
int shape_check_assertion(xmlNode *assertion, struct fault *f, struct shape *ret);

/* signature.c: whether this covers "parent" and nothing else, by an accepted method. */
int signature_check(const xmlNode *signature, const xmlNode *parent, struct fault *f);
/* The same for an EncryptedAssertion's methods. */
int encryption_check(const xmlNode *encrypted, struct fault *f);

#endif
