/* One line an event: virtual time in ns and as m:ss, the event's type, the entity, and what it
 * is: for an arriving message who sent what, in the words of the scheme or of the client
 * protocol; for all others the two numbers that went into the trace hash.
 */
#include "sim/campaign/trace.h"

#include <inttypes.h>

static const char *name_of(const struct trace_writer *writer, uint32_t endpoint)
{
    const char *name =
        endpoint == UINT32_MAX ? NULL : world_endpoint_name(writer->world, endpoint);
    return name ? name : "-";
}

/* Keys and values are anybody's bytes: printable ones as they are, the first 40. */
static void put_bytes(FILE *out, struct bytes bytes)
{
    const unsigned char *p = bytes.data;
    for (size_t i = 0; i < bytes.size && i < 40; i++)
        fputc(p[i] > 0x20 && p[i] < 0x7f ? p[i] : '.', out);
    if (bytes.size > 40) fputs("...", out);
}

static void put_request(FILE *out, struct bytes bytes)
{
    struct operation operation;
    struct bytes encoded = {(const char *)bytes.data + 8, bytes.size - 8};
    if (bytes.size < 8 || operation_decode(encoded, &operation)) {
        fputs("request that cannot be read", out);
        return;
    }
    fprintf(out, "request %" PRIu64 ": %s ", operation.id, operation_words[operation.type]);
    put_bytes(out, operation.key);
    if (operation.value.size) fputs(" = ", out);
    put_bytes(out, operation.value);
}

static void put_reply(FILE *out, struct bytes bytes)
{
    struct reply reply;
    struct bytes encoded = {(const char *)bytes.data + 8, bytes.size - 8};
    if (bytes.size < 8 || reply_decode(encoded, &reply)) {
        fputs("reply that cannot be read", out);
        return;
    }
    fprintf(out, "reply: %s ", status_words[reply.status]);
    put_bytes(out, reply.key);
    if (reply.has_value) fputs(" = ", out);
    put_bytes(out, reply.value);
}

static void put_message(const struct trace_writer *writer,
                        const struct network_message *message)
{
    FILE *out = writer->out;
    char text[256];
    fprintf(out, "from %s, %s, %zu bytes: ", name_of(writer, message->from),
            message_class_words[message->message_class], message->bytes.size);
    switch ((enum message_kind)message->kind) {
    case MESSAGE_SCHEME:
        writer->scheme->describe(message->bytes, text, sizeof text);
        fputs(text, out);
        break;
    case MESSAGE_REQUEST: put_request(out, message->bytes); break;
    case MESSAGE_REPLY: put_reply(out, message->bytes); break;
    case MESSAGE_CLAIM: fputs("claim of leadership", out); break;
    case MESSAGE_CLAIM_ANSWER: fputs("answer to a claim", out); break;
    case MESSAGE_STONITH: fputs("order to power off", out); break;
    case MESSAGE_DIRECTORY_ASK: fputs("who leads?", out); break;
    case MESSAGE_DIRECTORY_TELL: fputs("who leads", out); break;
    case MESSAGE_STORE_REQUEST: fputs("second store: request", out); break;
    case MESSAGE_STORE_REPLY: fputs("second store: reply", out); break;
    }
}

void trace_line(void *context, const struct event *event)
{
    const struct trace_writer *writer = context;
    struct network_message message;
    char time[32];
    fprintf(writer->out, "%" PRId64 "\t%s\t%s\t%s\t", event->time,
            vtime_format(event->time, time, sizeof time), event->type->name,
            name_of(writer, event->entity));
    if (network_event_message(event, &message))
        put_message(writer, &message);
    else
        fprintf(writer->out, "a=%" PRIu64 " b=%" PRIu64, event->a, event->b);
    fputc('\n', writer->out);
}
