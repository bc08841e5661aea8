/* SPDX-License-Identifier: MIT */
#include <spawn.h>
#include <sys/wait.h>
#include "pam_prism/qr.h"
#include "test.h"

/* "https://prism.example.edu/device?user_code=WDJB-MJHT", byte mode, level L: version 3 */
#define SIDE 29
#define TEXT "https://prism.example.edu/device?user_code=WDJB-MJHT"
static const char *const CODE[SIDE] = {
    "#######...###.#.#.###.#######",
    "#.....#.#...##.##.....#.....#",
    "#.###.#..#.....##..##.#.###.#",
    "#.###.#.##....##.#.#..#.###.#",
    "#.###.#....####.#.##..#.###.#",
    "#.....#.#.##.####...#.#.....#",
    "#######.#.#.#.#.#.#.#.#######",
    "..............#...#.#........",
    "#####.############...#.#.#.#.",
    "..#......#.##...#..######...#",
    ".#.#..#.##...#.##.....##.....",
    "..##.#...##...###...#...##.#.",
    "###..##.##.#.#######.#.#.##..",
    "##.#.#.####..#..#########...#",
    ".#.#..###...######....#####..",
    "###...........#.#....##....#.",
    ".#....##.#.####.##..#....##..",
    "###.##.#####......#######.#.#",
    "#.....##.#....###...#.....#..",
    "#......#.##....##.#.#...#..#.",
    "#.#..##..#######.#.######.###",
    "........#.###...#.#.#...#####",
    "#######.##.#..###..##.#.###..",
    "#.....#..##...#....##...#...#",
    "#.###.#.#.####.#.#..#####.###",
    "#.###.#.#....##.#..#...#.####",
    "#.###.#.###.#.####....######.",
    "#.....#.#.#.#.##..#.###.##.#.",
    "#######.#.#.##...#.#.#..###..",
};

#define WIDTH  (SIDE + 2 * QR_QUIET)
#define HEIGHT (2 * ((WIDTH + 1) / 2))
static char light[HEIGHT][WIDTH]; /* as it is on the screen: 1 where a block was drawn */

static void pack(uint8_t rows[SIDE * 4])
{
	memset(rows, 0, SIDE * 4);
	for (int y = 0; y < SIDE; y++)
		for (int x = 0; x < SIDE; x++)
			if (CODE[y][x] == '#')
				rows[y * 4 + x / 8] |= (uint8_t)(0x80 >> x % 8);
}

/* What the text shows, character by character; every line must be as wide as the code. */
static void look(const char *s)
{
	static const struct {
		const char *text;
		char upper, lower;
	} glyphs[] = {
	    {"\342\226\210", 1, 1}, {"\342\226\200", 1, 0}, {"\342\226\204", 0, 1}, {" ", 0, 0}};

	memset(light, 0, sizeof(light));
	for (int y = 0; y < HEIGHT; y += 2) {
		for (int x = 0; x < WIDTH; x++) {
			size_t g = 0;

			while (g < 4 && strncmp(s, glyphs[g].text, strlen(glyphs[g].text)) != 0)
				g++;
			EXPECT(g < 4);
			light[y][x] = glyphs[g].upper;
			light[y + 1][x] = glyphs[g].lower;
			s += strlen(glyphs[g].text);
		}
		EXPECT(*s++ == '\n');
	}
	EXPECT_STR(s, "");
}

static void draw(void)
{
	_cleanup_buf_ struct buf b = BUF_INIT(8192);
	uint8_t rows[SIDE * 4];

	pack(rows);
	qr_draw(rows, SIDE, &b);
	EXPECT_INT(buf_error(&b), 0);
	look(buf_str(&b));
}

TEST("I3.3 the QR code's light modules are drawn, its dark ones left out, with a quiet zone around")
{
	draw();
	for (int y = 0; y < WIDTH; y++) {
		for (int x = 0; x < WIDTH; x++) {
			const int cx = x - QR_QUIET, cy = y - QR_QUIET;
			const bool inside = cx >= 0 && cy >= 0 && cx < SIDE && cy < SIDE;

			EXPECT_INT(light[y][x], !(inside && CODE[cy][cx] == '#'));
		}
	}
	for (int x = 0; x < WIDTH; x++)
		EXPECT_INT(light[HEIGHT - 1][x], 0); /* the half line below is nobody's */
}

/* A screen shot, as a terminal of these colours would make it. */
static void shoot(const char *path, bool dark_terminal)
{
	const int scale = 8, margin = 24;
	const int w = WIDTH * scale + 2 * margin, h = HEIGHT * scale + 2 * margin;
	FILE *f = fopen(path, "we");

	EXPECT(f);
	fprintf(f, "P5 %d %d 255\n", w, h);
	for (int y = 0; y < h; y++) {
		for (int x = 0; x < w; x++) {
			const int mx = (x - margin) / scale, my = (y - margin) / scale;
			const bool drawn = x >= margin && y >= margin && mx < WIDTH &&
					   my < HEIGHT && light[my][mx];

			fputc(drawn == dark_terminal ? 220 : 30, f);
		}
	}
	EXPECT_INT(fclose(f), 0);
}

/* What zbarimg reads in the picture; "" for nothing. */
static const char *scan(const char *path, bool negative)
{
	static char found[512];
	const char *argv[] = {
	    "zbarimg", "-q", "--raw", negative ? "-Stest-inverted=1" : "-Sx-density=1", path, NULL};
	char *env[] = {(char *)(uintptr_t) "PATH=/usr/bin:/bin", NULL};
	posix_spawn_file_actions_t fa;
	int p[2], status;
	ssize_t n;
	pid_t pid;

	EXPECT_INT(pipe2(p, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, p[1], 1);
	status = posix_spawn(&pid, "/usr/bin/zbarimg", &fa, NULL, (char **)(uintptr_t)argv, env);
	posix_spawn_file_actions_destroy(&fa);
	close(p[1]);
	n = status == 0 ? read(p[0], found, sizeof(found) - 1) : 0;
	close(p[0]);
	if (status == 0)
		waitpid(pid, &status, 0);
	found[n > 0 ? n : 0] = '\0';
	found[strcspn(found, "\n")] = '\0';
	return found;
}

TEST("I3.3 the QR code can be scanned from a dark terminal and from a light one")
{
	char path[128];

	if (access("/usr/bin/zbarimg", X_OK) != 0)
		SKIP("zbarimg is not installed");
	draw();
	snprintf(path, sizeof(path), "%s/screen.pgm", test_tmpdir());
	shoot(path, true);
	EXPECT_STR(scan(path, false), TEXT);
	shoot(path, false);
	EXPECT_STR(scan(path, true), TEXT);
}

TEST("I3.3 every size of code that a terminal of 80 columns can show is drawable, no other")
{
	for (unsigned side = 0; side < 300; side++)
		EXPECT_INT(
		    qr_drawable(side), side >= 21 && side + 2 * QR_QUIET <= 57 && side % 4 == 1);
}

TEST_MAIN()
