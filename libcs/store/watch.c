/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* watch.c -- the kernel notes which pages are written to.  */

#include <errno.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#include "store/store-private.h"
#include "store/sys.h"
#include "store/watch.h"

/* <linux/userfaultfd.h> of Linux 5.11 and 6.7.  */
#define USER_MODE_ONLY 1
#define WP_ASYNC (1 << 15)

int
cs_watch_open (void)
{
  struct uffdio_api api = { .api = UFFD_API, .features = WP_ASYNC };
  int fd = cs_sys.userfaultfd (O_CLOEXEC | O_NONBLOCK | USER_MODE_ONLY);
  int r;

  if (fd < 0)
    return -errno;
  if (cs_sys.userfaultfd_call (fd, UFFDIO_API, &api) == 0)
    return cs_file_move_high (fd);
  r = -errno;
  cs_sys.close (fd);
  return r;
}

int
cs_watch_region (int fd, char *start, uint64_t len)
{
  struct uffdio_register range = {
    .range = { .start = (uintptr_t) start, .len = len },
    .mode = UFFDIO_REGISTER_MODE_WP
  };

  return cs_sys.userfaultfd_call (fd, UFFDIO_REGISTER, &range) < 0 ? -errno
                                                                  : 0;
}
