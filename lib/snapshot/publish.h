/* SPDX-License-Identifier: MIT */
#ifndef SNAPSHOT_PUBLISH_H
#define SNAPSHOT_PUBLISH_H

/*
 * The steps of snap_publish(), in order. publish_step() is called after each; it does nothing, and
 * is weak, so that a test can put a function in its place that kills the process there.
 */
enum publish_step {
	PUBLISH_LINKED,	 /* the old file has a second name, aside */
	PUBLISH_RENAMED, /* the new file has the name */
	PUBLISH_SYNCED,	 /* and the folder is on the disk */
	PUBLISH_MARKED,	 /* the old file says that it is superseded */
	PUBLISH_DONE,	 /* and has lost its second name */
};

void publish_step(enum publish_step step);

#endif
