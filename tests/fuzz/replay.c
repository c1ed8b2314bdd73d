/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* replay.c -- a harness without a fuzzer.

     fuzz-SUBJECT                  run seeds, seeds that were changed, and
                                   the cases in tests/fuzz/cases/SUBJECT;
                                   print TAP, and what failed as text
     fuzz-SUBJECT FILE...          run files (*.hex: as text, see below)
     fuzz-SUBJECT --seeds FOLDER   write seeds and cases there, as bytes
     fuzz-SUBJECT --dump FILE      print FILE as text, to be kept as a case

   A case is text: lines of hexadecimal digits, with comments from '#' to the
   end of a line.  */

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

#define LIMIT 120               /* seconds for one test */
#define CHANGED 100             /* inputs made of each seed */
#define SEEDS_MAX 128
#define INPUT_MAX (1 << 20)

struct input
{
  char *name;
  uint8_t *data;
  size_t len;
  bool valid;
};

struct list
{
  struct input items[2 * SEEDS_MAX];
  size_t nr;
};

static void
add (void *closure, const char *name, const void *data, size_t len,
     bool valid)
{
  struct list *list = closure;
  struct input *new = &list->items[list->nr++];

  REQUIRE (list->nr <= sizeof list->items / sizeof *list->items);
  *new = (struct input) { strdup (name), malloc (len + 1), len, valid };
  REQUIRE (new->name && new->data);
  if (len > 0)
    memcpy (new->data, data, len);
}

/* Files.  */

static uint8_t *
read_file (const char *path, size_t *len)
{
  uint8_t *data = malloc (INPUT_MAX);
  FILE *file = fopen (path, "rb");

  REQUIRE (data);
  if (!file)
    {
      fprintf (stderr, "cannot open '%s': %s\n", path, strerror (errno));
      exit (1);
    }
  *len = fread (data, 1, INPUT_MAX, file);
  REQUIRE (!ferror (file) && *len < INPUT_MAX);
  fclose (file);
  return data;
}

static int
digit (int c)
{
  return isdigit (c) ? c - '0' : isxdigit (c) ? tolower (c) - 'a' + 10 : -1;
}

/* Turn the LEN characters of text at DATA into bytes, in place.  */
static size_t
parse_text (const char *path, uint8_t *data, size_t len)
{
  size_t nr = 0;
  bool comment = false, half = false;

  for (size_t i = 0; i < len; i++)
    {
      int d = digit (data[i]);

      comment = data[i] != '\n' && (comment || data[i] == '#');
      if (comment || isspace (data[i]))
        continue;
      if (d < 0)
        {
          fprintf (stderr, "'%s': no hexadecimal digit at byte %zu\n", path,
                   i);
          exit (1);
        }
      data[nr] = (uint8_t) (half ? data[nr] << 4 | d : d);
      nr += half;
      half = !half;
    }
  return nr;
}

static bool
is_text (const char *path)
{
  size_t len = strlen (path);

  return len > 4 && strcmp (path + len - 4, ".hex") == 0;
}

static uint8_t *
read_input (const char *path, size_t *len)
{
  uint8_t *data = read_file (path, len);

  if (is_text (path))
    *len = parse_text (path, data, *len);
  return data;
}

static int
is_case (const struct dirent *entry)
{
  return is_text (entry->d_name);
}

/* Where the cases are: $CS_SOURCE_DIR, and the name of this program.  */
static void
add_cases (struct list *list, const char *program)
{
  const char *source = getenv ("CS_SOURCE_DIR"), *own = strrchr (program, '/');
  struct dirent **entries;
  char path[4096];
  int nr, used;

  own = own ? own + 1 : program;
  REQUIRE (strncmp (own, "fuzz-", 5) == 0);
  used = snprintf (path, sizeof path, "%s/tests/fuzz/cases/%s",
                   source ? source : ".", own + 5);
  nr = scandir (path, &entries, is_case, alphasort);
  for (int i = 0; i < nr; i++)
    {
      uint8_t *data;
      size_t len;

      snprintf (path + used, sizeof path - (size_t) used, "/%s",
                entries[i]->d_name);
      data = read_input (path, &len);
      *strrchr (entries[i]->d_name, '.') = '\0';
      add (list, entries[i]->d_name, data, len, false);
      free (data);
      free (entries[i]);
    }
  if (nr >= 0)
    free (entries);
}

/* Running.  */

/* Pseudo-random numbers, the same at each run (xorshift of 32 bits).  */
static uint32_t
next_random (uint32_t *state)
{
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

/* Change a few bytes of DATA: to anything, to what is often a limit, or by
   cutting off what follows.  */
static size_t
change (uint8_t *data, size_t len, uint32_t *state)
{
  static const uint8_t limits[] = { 0, 1, 0x7f, 0x80, 0xff };
  unsigned nr = 1 + next_random (state) % 3;

  for (; nr > 0 && len > 0; nr--)
    {
      size_t at = next_random (state) % len;

      switch (next_random (state) % 8)
        {
        case 0:
          len = at;
          break;
        case 1:
        case 2:
          data[at] = limits[next_random (state) % sizeof limits];
          break;
        case 3:
        case 4:
          data[at] ^= (uint8_t) (1 << next_random (state) % 8);
          break;
        default:
          data[at] = (uint8_t) next_random (state);
        }
    }
  return len;
}

/* The changed input that is being run; the child's, seen by its parent.  */
static struct
{
  size_t len;
  uint8_t data[INPUT_MAX];
} *current;

/* Run INPUT, or with NR > 0 so many changed ones.  Ends the process.  */
static void
run (const struct input *input, unsigned nr)
{
  uint32_t state = 2463534242u;

  alarm (LIMIT);
  if (nr == 0)
    LLVMFuzzerTestOneInput (input->data, input->len);
  REQUIRE (nr > 0 || !input->valid || fuzz_accepted == 1);
  for (unsigned i = 0; i < nr; i++)
    {
      uint8_t *data;

      memcpy (current->data, input->data, input->len);
      current->len = change (current->data, input->len, &state);
      /* Of its very size, so that reading on is seen.  */
      data = malloc (current->len);
      REQUIRE (data || current->len == 0);
      if (data)
        memcpy (data, current->data, current->len);
      LLVMFuzzerTestOneInput (data, current->len);
      free (data);
    }
  exit (0);
}

static bool
run_in_child (const struct input *input, unsigned nr)
{
  int status;
  pid_t pid;

  fflush (NULL);
  pid = fork ();
  if (pid == 0)
    run (input, nr);
  REQUIRE (pid > 0 && waitpid (pid, &status, 0) == pid);
  return WIFEXITED (status) && WEXITSTATUS (status) == 0;
}

static void
print_text (const char *before, const uint8_t *data, size_t len)
{
  for (size_t i = 0; i < len; i++)
    printf ("%s%02x%s", i % 32 == 0 ? before : "", data[i],
            i % 32 == 31 || i + 1 == len ? "\n" : "");
}

/* What makes the current input another than SEED, if that is shorter.  */
static void
print_current (const struct input *seed)
{
  if (current->len <= 1024)
    {
      print_text ("# ", current->data, current->len);
      return;
    }
  printf ("# %zu of the seed's %zu bytes\n", current->len, seed->len);
  for (size_t i = 0; i < current->len; i++)
    if (current->data[i] != seed->data[i])
      printf ("# byte %zu is 0x%02x, not 0x%02x\n", i, current->data[i],
              seed->data[i]);
}

static int
run_all (const struct list *list)
{
  unsigned failed = 0, nr = 0;

  current = mmap (NULL, sizeof *current, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE (current != MAP_FAILED);
  printf ("1..%zu\n", 2 * list->nr);
  for (size_t i = 0; i < list->nr; i++)
    for (unsigned changed = 0; changed <= CHANGED; changed += CHANGED)
      {
        bool good = run_in_child (&list->items[i], changed);

        failed += !good;
        printf ("%sok %u - '%s'%s\n", good ? "" : "not ", ++nr,
                list->items[i].name, changed ? " with changes" : "");
        if (!good && changed)
          print_current (&list->items[i]);
      }
  return failed > 0;
}

/* For `make fuzz`.  */

static void
write_all (const struct list *list, const char *folder)
{
  for (size_t i = 0; i < list->nr; i++)
    {
      char path[4096];
      FILE *file;

      snprintf (path, sizeof path, "%s/%s", folder, list->items[i].name);
      file = fopen (path, "wb");
      REQUIRE (file && fwrite (list->items[i].data, 1, list->items[i].len,
                               file) == list->items[i].len);
      REQUIRE (fclose (file) == 0);
    }
}

static void
dump (const char *path)
{
  size_t len;
  uint8_t *data = read_input (path, &len);

  print_text ("", data, len);
  free (data);
}

/* All are read first: a harness may go to another folder.  */
static void
run_files (struct list *list, char **paths)
{
  for (; *paths; paths++)
    {
      size_t len;
      uint8_t *data = read_input (*paths, &len);

      add (list, *paths, data, len, false);
      free (data);
    }
  for (size_t i = 0; i < list->nr; i++)
    {
      fuzz_accepted = 0;
      LLVMFuzzerTestOneInput (list->items[i].data, list->items[i].len);
      printf ("'%s': %s\n", list->items[i].name,
              fuzz_accepted ? "accepted" : "refused");
    }
}

int
main (int argc, char **argv)
{
  static struct list list;
  int home = open (".", O_PATH | O_DIRECTORY);

  if (argc == 3 && strcmp (argv[1], "--dump") == 0)
    {
      dump (argv[2]);
      return 0;
    }
  if (argc > 1 && argv[1][0] != '-')
    {
      run_files (&list, argv + 1);
      return 0;
    }
  add_cases (&list, argv[0]);
  fuzz_seeds (add, &list);
  if (argc == 3 && strcmp (argv[1], "--seeds") == 0)
    {
      REQUIRE (fchdir (home) == 0);
      write_all (&list, argv[2]);
    }
  else if (argc == 1)
    return run_all (&list);
  else
    return 2;
  return 0;
}
