/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* world.c -- what a power loss can leave of the files of a trace.

   Each sector, each length and each name has a list of versions, the newest
   first.  What a loss leaves of it is the newest version that is certain, or
   that the loss keeps.  */

#include "../unit/store-fixture.h"

#include "world.h"

#define PENDING_MAX 64          /* events that a LOSS_SUBSET tells apart */

/* What something was after EVENT.  */
struct version
{
  const struct version *older;
  uint32_t event;
  bool uncertain;               /* a sync of it failed */
  uint64_t hash;                /* of the sector; 0 for zeros */
  uint64_t value;               /* length of the file; file plus 1 */
  const char *data;             /* of the sector; NULL for zeros */
};

struct sector
{
  uint64_t number;
  struct version *newest;
};

struct name
{
  char name[TRACE_NAME];
  struct version *newest;
};

struct file
{
  struct version *length;
  size_t nr_sectors;            /* ascending by number */
  struct sector *sectors;
  size_t nr_names;              /* of a folder */
  struct name *names;
};

struct world
{
  const struct trace *trace;
  struct file *files;
  char *memory;                 /* for versions and sectors */
  size_t used;
};

#define WORLD_LEN ((size_t) 256 << 20)

uint64_t
mix (uint64_t a, uint64_t b)
{
  a += b * 0x9e3779b97f4a7c15u + 0x632be59bd9b4e019u;
  a = (a ^ a >> 30) * 0xbf58476d1ce4e5b9u;
  a = (a ^ a >> 27) * 0x94d049bb133111ebu;
  return a ^ a >> 31;
}

static uint64_t
hash_of (const char *data, size_t len)
{
  uint64_t h = len, word;

  for (size_t i = 0; i + sizeof word <= len; i += sizeof word)
    {
      memcpy (&word, data + i, sizeof word);
      h = mix (h, word);
    }
  return h;
}

static void *
take (struct world *world, size_t len)
{
  void *p = world->memory + world->used;

  world->used += (len + 15) / 16 * 16;
  CHECK (world->used <= WORLD_LEN);
  return p;
}

/* Building.  */

static struct version *
add_version (struct world *world, struct version **list, uint32_t event)
{
  struct version *v = take (world, sizeof *v);

  v->older = *list;
  v->event = event;
  *list = v;
  return v;
}

static struct sector *
sector_of (struct file *file, uint64_t number)
{
  size_t low = 0, high = file->nr_sectors;

  while (low < high)
    {
      size_t middle = (low + high) / 2;

      if (file->sectors[middle].number < number)
        low = middle + 1;
      else
        high = middle;
    }
  if (low == file->nr_sectors || file->sectors[low].number != number)
    {
      if (file->nr_sectors % 256 == 0)
        file->sectors = realloc (file->sectors, (file->nr_sectors + 256)
                                                * sizeof *file->sectors);
      CHECK (file->sectors);
      memmove (&file->sectors[low + 1], &file->sectors[low],
               (file->nr_sectors - low) * sizeof *file->sectors);
      file->sectors[low] = (struct sector) { number, NULL };
      file->nr_sectors++;
    }
  return &file->sectors[low];
}

/* Bytes FROM to TO of a sector become DATA, or zeros if that is NULL.  */
static void
change_sector (struct world *world, struct sector *sector, uint32_t event,
               size_t from, size_t to, const char *data)
{
  static const char zeros[SECTOR];
  const char *before = sector->newest ? sector->newest->data : NULL;
  struct version *v = add_version (world, &sector->newest, event);
  char *now = take (world, SECTOR);

  memcpy (now, before ? before : zeros, SECTOR);
  memcpy (now + from, data ? data : zeros, to - from);
  if (memcmp (now, zeros, SECTOR) != 0)
    {
      v->data = now;
      v->hash = hash_of (now, SECTOR);
    }
}

static void
change_range (struct world *world, struct file *file, uint32_t event,
              uint64_t off, uint64_t len, const char *data)
{
  for (uint64_t at = off, end = off + len; at < end;)
    {
      uint64_t number = at / SECTOR;
      size_t from = (size_t) (at % SECTOR);
      size_t to = end - number * SECTOR < SECTOR
                  ? (size_t) (end - number * SECTOR) : SECTOR;

      change_sector (world, sector_of (file, number), event, from, to,
                     data ? data + (at - off) : NULL);
      at = (number + 1) * SECTOR;
    }
}

static void
change_length (struct world *world, struct file *file, uint32_t event,
               uint64_t len)
{
  uint64_t before = file->length ? file->length->value : 0;

  if (len != before || !file->length)
    add_version (world, &file->length, event)->value = len;
  if (len >= before)
    return;
  for (size_t i = 0; i < file->nr_sectors; i++)
    {
      struct sector *s = &file->sectors[i];
      size_t from = s->number * SECTOR < len
                    ? (size_t) (len - s->number * SECTOR) : 0;

      if (from < SECTOR && s->newest->data)
        change_sector (world, s, event, from, SECTOR, NULL);
    }
}

static void
change_name (struct world *world, uint32_t event, const struct change *c)
{
  struct file *folder = &world->files[c->folder];
  size_t i = 0;

  while (i < folder->nr_names && strcmp (folder->names[i].name, c->name) != 0)
    i++;
  if (i == folder->nr_names)
    {
      folder->names = realloc (folder->names,
                               ++folder->nr_names * sizeof *folder->names);
      CHECK (folder->names);
      memset (&folder->names[i], 0, sizeof *folder->names);
      strcpy (folder->names[i].name, c->name);
    }
  add_version (world, &folder->names[i].newest, event)->value
    = (uint64_t) (c->target + 1);
}

/* The last successful sync of FILE before POINT; 0: none.  */
static size_t
last_sync (const struct trace *trace, int file, size_t point)
{
  while (point-- > 0)
    if (trace->events[point].kind == EVENT_SYNC
        && trace->events[point].file == file)
      return point;
  return 0;
}

static void
mark_uncertain (struct version *v, size_t since)
{
  for (; v && v->event >= since; v = (struct version *) v->older)
    v->uncertain = true;
}

static void
fail_sync (struct world *world, uint32_t event)
{
  int number = world->trace->events[event].file;
  struct file *file = &world->files[number];
  size_t since = last_sync (world->trace, number, event);

  mark_uncertain (file->length, since);
  for (size_t i = 0; i < file->nr_sectors; i++)
    mark_uncertain (file->sectors[i].newest, since);
}

static void
play (struct world *world, uint32_t event)
{
  const struct event *e = &world->trace->events[event];
  struct file *file = e->file == NONE ? NULL : &world->files[e->file];
  uint64_t end = e->off + e->len;

  switch (e->kind)
    {
    case EVENT_WRITE:
      if (!file->length || end > file->length->value)
        change_length (world, file, event, end);
      change_range (world, file, event, e->off, e->len, e->data);
      break;
    case EVENT_ZERO:
      change_range (world, file, event, e->off, e->len, NULL);
      break;
    case EVENT_RESIZE:
      change_length (world, file, event, e->off);
      break;
    case EVENT_ENTRY:
      for (int i = 0; i < e->nr_changes; i++)
        change_name (world, event, &e->changes[i]);
      break;
    case EVENT_SYNC_FAILED:
      fail_sync (world, event);
      break;
    default:
      break;
    }
}

struct world *
world_new (const struct trace *trace)
{
  struct world *world = calloc (1, sizeof *world);

  CHECK (world);
  world->trace = trace;
  world->files = calloc (trace->nr_files, sizeof *world->files);
  world->memory = mmap (NULL, WORLD_LEN, RW,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK (world->files && world->memory != MAP_FAILED);
  for (size_t i = 0; i < trace->nr_events; i++)
    play (world, (uint32_t) i);
  return world;
}

void
world_free (struct world *world)
{
  for (size_t i = 0; i < world->trace->nr_files; i++)
    {
      free (world->files[i].sectors);
      free (world->files[i].names);
    }
  munmap (world->memory, WORLD_LEN);
  free (world->files);
  free (world);
}

/* Losing power.  */

size_t
world_pending (const struct world *world, size_t point, uint32_t *events,
               size_t max)
{
  const struct trace *trace = world->trace;
  size_t nr = 0;

  for (size_t i = 0; i < point; i++)
    {
      const struct event *e = &trace->events[i];
      int file = e->kind == EVENT_ENTRY ? e->changes[0].folder : e->file;

      if (e->kind > EVENT_ENTRY || i < last_sync (trace, file, point))
        continue;
      if (nr < max)
        events[nr] = (uint32_t) i;
      nr++;
    }
  return nr;
}

/* One loss, and what is needed again and again to play it.  */
struct player
{
  const struct world *world;
  const struct loss *loss;
  size_t nr_pending;
  uint32_t pending[PENDING_MAX];
  size_t certain;               /* events of the file at hand before it */
};

static struct player
player_of (const struct world *world, const struct loss *loss)
{
  struct player p = { .world = world, .loss = loss };

  if (loss->kind == LOSS_SUBSET)
    p.nr_pending = world_pending (world, loss->point, p.pending,
                                  PENDING_MAX);
  return p;
}

static bool
in_subset (const struct player *p, uint32_t event)
{
  for (size_t i = 0; i < p->nr_pending && i < PENDING_MAX; i++)
    if (p->pending[i] == event)
      return p->loss->seed >> i & 1;
  return true;
}

/* Chances, in eighths: most of it is there, half of it, little of it.  */
static bool
by_chance (const struct player *p, uint64_t a, uint64_t b)
{
  static const unsigned int eighths[] = { 7, 4, 1, 6 };
  uint64_t seed = p->loss->seed;

  return mix (mix (seed, a), b) % 8 < eighths[seed % 4];
}

/* Is what EVENT did to PLACE kept?  PLACE is the number of a sector, or -1
   for a name, or -2 for the length.  */
#define PLACE_NAME UINT64_MAX
#define PLACE_LENGTH (UINT64_MAX - 1)

static bool
is_kept (const struct player *p, uint32_t event, uint64_t place)
{
  bool is_sector = place < PLACE_LENGTH;

  switch (p->loss->kind)
    {
    case LOSS_ALL:
      return false;
    case LOSS_NOTHING:
      return true;
    case LOSS_SUBSET:
      return in_subset (p, event);
    case LOSS_ALL_BUT_ONE:
      return event == p->loss->which;
    case LOSS_ONE:
      return event != p->loss->which;
    case LOSS_ONE_TORN:
      return event != p->loss->which || !is_sector
             || by_chance (p, event, place);
    case LOSS_EVENTS:
      return by_chance (p, event, 0);
    case LOSS_PAGES:
      return by_chance (p, event, is_sector ? place * SECTOR / PAGE : place);
    case LOSS_SECTORS:
      return by_chance (p, event, place);
    case LOSS_LENGTHS:
      return place != PLACE_LENGTH;
    case LOSS_CONTENTS:
      return is_sector;
    }
  return true;
}

static const struct version *
choose (const struct player *p, const struct version *v, uint64_t place)
{
  for (; v; v = v->older)
    if (v->event < p->loss->point
        && ((v->event < p->certain && !v->uncertain)
            || is_kept (p, v->event, place)))
      break;
  return v;
}

static void
look_at (struct player *p, int file)
{
  p->certain = last_sync (p->world->trace, file, p->loss->point);
}

static uint64_t
length_of (const struct player *p, const struct file *file)
{
  const struct version *v = choose (p, file->length, PLACE_LENGTH);

  return v ? v->value : 0;
}

static uint64_t
hash_file (struct player *p, int number)
{
  const struct file *file = &p->world->files[number];
  uint64_t len, h;

  look_at (p, number);
  len = length_of (p, file);
  h = mix (1, len);
  for (size_t i = 0; i < file->nr_sectors; i++)
    {
      const struct sector *s = &file->sectors[i];
      const struct version *v
        = s->number * SECTOR < len ? choose (p, s->newest, s->number) : NULL;

      if (v && v->hash)
        h = mix (h, mix (s->number, v->hash));
    }
  return h;
}

static uint64_t
hash_folder (struct player *p, int number)
{
  const struct file *folder = &p->world->files[number];
  uint64_t h = 2;

  for (size_t i = 0; i < folder->nr_names; i++)
    {
      const struct version *v;
      int target;

      look_at (p, number);
      v = choose (p, folder->names[i].newest, PLACE_NAME);
      if (!v || v->value == 0)
        continue;
      target = (int) v->value - 1;
      h = mix (h, hash_of (folder->names[i].name, TRACE_NAME));
      h = mix (h, p->world->trace->files[target].is_folder
                  ? hash_folder (p, target) : hash_file (p, target));
    }
  return h;
}

uint64_t
world_hash (const struct world *world, const struct loss *loss)
{
  struct player p = player_of (world, loss);

  return hash_folder (&p, 0);
}

/* Write runs of sectors at a time.  */
static void
make_contents (const struct player *p, const struct file *file, int fd,
               uint64_t len)
{
  enum { RUN = 128 };
  char buf[RUN * SECTOR];
  uint64_t start = 0;
  size_t have = 0;

  for (size_t i = 0; i <= file->nr_sectors; i++)
    {
      const struct sector *s = i < file->nr_sectors ? &file->sectors[i] : NULL;
      const struct version *v
        = s && s->number * SECTOR < len ? choose (p, s->newest, s->number)
          : NULL;

      if (have > 0 && (!v || !v->data || have == RUN
                       || s->number != start + have))
        {
          CHECK (pwrite (fd, buf, have * SECTOR, (off_t) (start * SECTOR))
                 == (ssize_t) (have * SECTOR));
          have = 0;
        }
      if (!v || !v->data)
        continue;
      if (have == 0)
        start = s->number;
      memcpy (buf + have++ * SECTOR, v->data, SECTOR);
    }
}

static void
make_file (struct player *p, int number, int dirfd, const char *name)
{
  const struct file *file = &p->world->files[number];
  int fd = openat (dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  uint64_t len;

  CHECK (fd >= 0);
  look_at (p, number);
  len = length_of (p, file);
  make_contents (p, file, fd, len);
  CHECK (ftruncate (fd, (off_t) len) == 0);
  close (fd);
}

static void
make_folder (struct player *p, int number, int dirfd)
{
  const struct file *folder = &p->world->files[number];

  for (size_t i = 0; i < folder->nr_names; i++)
    {
      const struct name *n = &folder->names[i];
      const struct version *v;
      int target;

      look_at (p, number);
      v = choose (p, n->newest, PLACE_NAME);
      if (!v || v->value == 0)
        continue;
      target = (int) v->value - 1;
      if (p->world->trace->files[target].is_folder)
        {
          int fd;

          CHECK (mkdirat (dirfd, n->name, 0700) == 0);
          fd = openat (dirfd, n->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
          CHECK (fd >= 0);
          make_folder (p, target, fd);
          close (fd);
        }
      else
        make_file (p, target, dirfd, n->name);
    }
}

void
world_make (const struct world *world, const struct loss *loss)
{
  struct player p = player_of (world, loss);

  make_folder (&p, 0, AT_FDCWD);
}

void
loss_describe (const struct loss *loss, char *text, size_t len)
{
  static const char *const kinds[] = {
    "all", "nothing", "subset", "all but one", "one", "one torn", "events",
    "pages", "sectors", "lengths", "contents"
  };

  snprintf (text, len, "%u:%d:%u:%llu (%s)", loss->point, (int) loss->kind,
            loss->which, (unsigned long long) loss->seed, kinds[loss->kind]);
}
