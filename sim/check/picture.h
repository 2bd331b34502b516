/* A witness as a picture: SVG text, a lane a process, a bar an operation, an arrow for each
 * order that is forced, the contradiction in red. A pure function of operations and verdict;
 * who writes it to a file is not its business.
 *
 *     char *svg = picture_svg(&operations, model, &verdict, "etcd_000.log, porcupine");
 *     ... fputs(svg, file) ...
 *     free(svg);
 */
#ifndef FAULTLINE_SIM_CHECK_PICTURE_H
#define FAULTLINE_SIM_CHECK_PICTURE_H

#include "sim/check/models.h"

/* `source` is said under the picture: where the history is from. Any bytes may stand in it and
 * in all names. The caller frees what is returned. */
char *picture_svg(const struct ops *operations, const struct model *model,
                  const struct model_verdict *verdict, const char *source);

#endif
