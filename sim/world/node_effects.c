/* Effects: what node code does to the world, kept until the virtual time at which it
 * happens.
 *
 * A handler runs at virtual time t in one go, with a cursor that runs ahead. What it sends,
 * answers and notes is kept as an effect stamped with the cursor; effects of one instant
 * made in a row form a moment, and a moment is one event of the kernel.
 *
 *     node_effect --> pending --node_moment_fire--> done
 *                      |  ^
 *       node_effects_hold  node_effects_release     a pause: no event, then later by its length
 *                      |
 *                      +--node_effects_drop--> never happened: a crash
 *
 * I1  What is pending has a stamp >= now, unless the node is paused.
 * I2  Effects of one moment fire in the order in which the code made them, also when ties
 *     are shuffled: two messages sent in a row depart in a row.
 * I3  A pending moment belongs to the present incarnation: a stop drops them all.
 */
#include "sim/world/node_internal.h"

#include <stdlib.h>

#include "sim/kernel/check.h"

static void moment_fire(struct kernel *kernel, const struct event *event);

static const struct event_type moment_event = {"effect", EVENT_ID('e', 'f', 'f', 'x'),
                                               moment_fire};

/* ---- making ---- */

static void moment_schedule(struct moment *moment)
{
    struct node *node = moment->node;
    moment->event = kernel_schedule(node->kernel, moment->stamp, &moment_event, moment,
                                    node->config.endpoint, node->incarnation,
                                    (uint64_t)moment->first->kind);
}

static struct moment *moment_take(struct node *node)
{
    struct moment *moment = node->free_moments;
    if (moment)
        node->free_moments = moment->next;
    else
        moment = xmalloc(sizeof *moment);
    *moment = (struct moment){.node = node, .previous = node->moments_last};
    if (node->moments_last)
        node->moments_last->next = moment;
    else
        node->moments = moment;
    node->moments_last = moment;
    return moment;
}

static void moment_give(struct moment *moment)
{
    struct node *node = moment->node;
    if (moment->previous)
        moment->previous->next = moment->next;
    else
        node->moments = moment->next;
    if (moment->next)
        moment->next->previous = moment->previous;
    else
        node->moments_last = moment->previous;
    if (node->tail == moment) node->tail = NULL;
    if (node->server_tail == moment) node->server_tail = NULL;
    moment->next = node->free_moments;
    node->free_moments = moment;
}

static void effect_give(struct node *node, struct effect *effect)
{
    if (effect->payload) payload_release(effect->payload);
    effect->next = node->free_effects;
    node->free_effects = effect;
}

struct effect *node_effect(struct node *node, int64_t stamp, enum effect_kind kind)
{
    CHECK(stamp >= kernel_now(node->kernel));
    struct effect *effect = node->free_effects;
    if (effect)
        node->free_effects = effect->next;
    else
        effect = xmalloc(sizeof *effect);
    *effect = (struct effect){.kind = kind};
    struct moment *moment = node->tail;
    if (moment && moment->stamp == stamp) {
        moment->last->next = effect;
        moment->last = effect;
        return effect;
    }
    moment = moment_take(node);
    moment->stamp = stamp;
    moment->first = moment->last = effect;
    moment_schedule(moment);
    node->tail = moment;
    return effect;
}

/* ---- firing ---- */

static void fire_reply(struct node *node, const struct effect *effect)
{
    struct reply reply;
    enum operation_type type = (enum operation_type)effect->code;
    bool changes = type == OPERATION_WRITE || type == OPERATION_INSERT ||
                   type == OPERATION_DELETE || type == OPERATION_COMPARE_AND_SET ||
                   type == OPERATION_LOCK;
    node->counters.replies++;
    network_send(node->network, node->config.endpoint, effect->to, MESSAGE_CLIENT,
                 MESSAGE_REPLY, effect->payload);
    struct bytes bytes = payload_bytes(effect->payload);
    bytes = bytes_of((const unsigned char *)bytes.data + 8, bytes.size - 8);
    if (changes && !reply_decode(bytes, &reply) && reply.status == STATUS_OK)
        node->listener.acknowledged(node->listener.context, node->config.endpoint, effect->a,
                                    type, &reply);
}

static void fire_up(struct node *node, const struct effect *effect)
{
    if (effect->code == 0) {
        node->state = NODE_UP;
        node_slices_begin(node);
        node_kick(node);
    } else {
        node_stop_quietly(node);
    }
    node->listener.up(node->listener.context, node->config.endpoint, effect->code,
                      (int64_t)effect->a);
}

static void fire(struct node *node, const struct effect *effect)
{
    struct node_listener *told = &node->listener;
    uint32_t self = node->config.endpoint;
    kernel_fold(node->kernel, mix64((uint64_t)effect->kind << 32 ^ (uint32_t)effect->code) ^
                                  mix64(effect->a + 1) ^ mix64(effect->b * 3 + 2));
    switch (effect->kind) {
    case EFFECT_SEND:
        network_send(node->network, self, effect->to, effect->message_class,
                     effect->message_kind, effect->payload);
        break;
    case EFFECT_REPLY: fire_reply(node, effect); break;
    case EFFECT_NOTE:
        told->note(told->context, self, (enum note_kind)effect->code, effect->a, effect->b);
        break;
    case EFFECT_INSPECTED:
        if (told->inspected) told->inspected(told->context, self, node_inspection(node));
        break;
    case EFFECT_BATCH: told->batch(told->context, self, effect->a); break;
    case EFFECT_ADMIN:
        if (told->admin)
            told->admin(
                told->context, self,
                &(struct admin_command){(enum admin_kind)effect->a, (uint32_t)effect->b},
                effect->code);
        break;
    case EFFECT_UP: fire_up(node, effect); break;
    case EFFECT_FAIL: node_crash(node, (enum down_cause)effect->code, node->why); break;
    case EFFECT_TROUBLE:
        if (told->trouble) told->trouble(told->context, self, effect->what, effect->code);
        break;
    }
}

static void moment_fire(struct kernel *kernel, const struct event *event)
{
    struct moment *moment = event->context;
    struct node *node = moment->node;
    struct effect *effect = moment->first;
    node->last_effect = kernel_now(kernel);
    moment_give(moment);
    /* An effect may stop the node (its failure, or somebody who listens): the rest never
     * happens. */
    uint64_t incarnation = node->incarnation;
    while (effect) {
        struct effect *next = effect->next;
        if (node->incarnation == incarnation)
            fire(node, effect);
        else
            node->counters.undone_effects++;
        effect_give(node, effect);
        effect = next;
    }
}

/* ---- stops and pauses ---- */

void node_effects_drop(struct node *node)
{
    while (node->moments) {
        struct moment *moment = node->moments;
        kernel_cancel(node->kernel, moment->event);
        for (struct effect *effect = moment->first, *next; effect; effect = next) {
            next = effect->next;
            node->counters.undone_effects++;
            effect_give(node, effect);
        }
        moment_give(moment);
    }
}

void node_effects_hold(struct node *node)
{
    for (struct moment *moment = node->moments; moment; moment = moment->next)
        kernel_cancel(node->kernel, moment->event);
}

void node_effects_release(struct node *node, int64_t length)
{
    for (struct moment *moment = node->moments; moment; moment = moment->next) {
        moment->stamp += length;
        moment_schedule(moment);
    }
}

void node_effects_deinit(struct node *node)
{
    node_effects_drop(node);
    for (struct moment *moment = node->free_moments, *next; moment; moment = next) {
        next = moment->next;
        free(moment);
    }
    for (struct effect *effect = node->free_effects, *next; effect; effect = next) {
        next = effect->next;
        free(effect);
    }
}
