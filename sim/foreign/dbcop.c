/* DBCop's histories (github.com/rnbguy/dbcop): sessions of transactions of events, in JSON.
 *
 *     [[{"events":[{"Write":{"variable":0,"version":1}}],"committed":true}, ...], ...]
 *
 * Sessions stand one behind the other and nothing is said of time. Version 0 or null is the
 * initial value. What was not committed did not happen.
 */
#include "sim/foreign/builder.h"

static bool event_read(struct builder *b, const struct datum *event, uint32_t process,
                       bool is_committed)
{
    const struct datum *write = datum_get(event, "Write"), *read = datum_get(event, "Read");
    const struct datum *body = write ? write : read;
    const struct datum *variable = body ? datum_get(body, "variable") : NULL;
    const struct datum *version = body ? datum_get(body, "version") : NULL;
    if (!variable || variable->kind != DATUM_INT)
        return builder_fail(
            b, event->line, event->column,
            "{\"Write\": or {\"Read\": with \"variable\" and \"version\" should "
            "stand here");
    struct op *op = builder_add(b);
    op->kind = write ? OP_WRITE : OP_READ;
    op->key = builder_key_datum(b, variable);
    op->process = process;
    op->line = event->line;
    op->invoke = b->position++;
    op->complete = b->position++;
    op->result = is_committed ? RESULT_OK : RESULT_VOID;
    bool is_initial = !version || version->kind == DATUM_NIL ||
                      (version->kind == DATUM_INT && version->number == 0);
    op->value = is_initial ? VALUE_NONE : builder_value_datum(b, op->key, version);
    return true;
}

static bool session_read(struct builder *b, const struct datum *session, uint32_t process)
{
    if (session->kind != DATUM_VECTOR)
        return builder_fail(b, session->line, session->column,
                            "a session should stand here: an array of transactions");
    for (uint32_t t = 0; t < session->count; t++) {
        const struct datum *transaction = &session->items[t];
        const struct datum *events = datum_get(transaction, "events");
        const struct datum *committed = datum_get(transaction, "committed");
        if (!events || events->kind != DATUM_VECTOR)
            return builder_fail(b, transaction->line, transaction->column,
                                "a transaction without \"events\"");
        if (events->count > 1 && !b->out->transaction_line)
            b->out->transaction_line = transaction->line;
        for (uint32_t e = 0; e < events->count; e++)
            if (!event_read(b, &events->items[e], process, !committed || committed->number))
                return false;
    }
    return true;
}

bool foreign_read_dbcop(struct builder *b, const char *text, size_t size)
{
    struct datum_parser parser;
    struct datum all;
    datum_parser_init(&parser, DATUM_JSON, text, size);
    int did = datum_next(&parser, &all);
    bool is_read = did == 1 && all.kind == DATUM_VECTOR;
    if (did < 0)
        builder_fail(b, parser.error_line, parser.error_column, "%s", parser.error);
    else if (!is_read)
        builder_fail(b, 1, 1, "an array of sessions should stand here");
    for (uint32_t s = 0; is_read && s < all.count; s++) {
        is_read = session_read(b, &all.items[s], builder_process(b, s));
    }
    struct datum more;
    if (is_read && datum_next(&parser, &more) != 0)
        is_read = builder_fail(b, parser.line, 1, "text behind the end");
    datum_parser_deinit(&parser);
    return is_read;
}
