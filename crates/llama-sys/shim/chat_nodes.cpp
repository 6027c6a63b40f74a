// The nodes that check, and putting them into a template's syntax tree.
#include "chat_limits.h"

#include <memory>
#include <utility>
#include <vector>

namespace lrs::limits {

using namespace jinja;

// Gives a value that is already known, so that upstream's node can be run on checked operands.
struct known_value : expression {
    value val;
    explicit known_value(value val) : val(std::move(val)) {}
    value execute_impl(context &) const override { return val; }
};

// First in the body of every loop.
struct step_statement : statement {
    value execute_impl(context &) const override {
        budget::current().spend(1);
        return mk_val<value_undefined>();
    }
};

// Around the condition of a filtered loop.
struct step_expression : expression {
    statement_ptr inner;
    explicit step_expression(statement_ptr inner) : inner(std::move(inner)) {}
    value execute_impl(context & ctx) const override {
        budget::current().spend(1);
        return inner->execute(ctx);
    }
};

// The whole body of a macro or of a call block.
struct frame_statement : statement {
    statements inner;
    explicit frame_statement(statements && inner) : inner(std::move(inner)) {}
    value execute_impl(context & ctx) const override {
        struct frame {
            frame() { budget::current().enter(); }
            ~frame() { budget::current().leave(); }
        } in_frame;
        auto results = mk_val<value_array>();
        for (const auto & stmt : inner) {
            results->push_back(stmt->execute(ctx));
        }
        value_string text = mk_val<value_string>();
        gather_string_parts_recursive(results, text);
        return text;
    }
};

// Around what is printed or assigned.
struct measured_expression : expression {
    statement_ptr inner;
    explicit measured_expression(statement_ptr inner) : inner(std::move(inner)) {}
    value execute_impl(context & ctx) const override { return measured(inner->execute(ctx)); }
};

// Around the numbers of a slice, and the arguments of a filter block.
struct small_expression : expression {
    statement_ptr inner;
    int64_t limit;
    small_expression(statement_ptr inner, int64_t limit) : inner(std::move(inner)), limit(limit) {}
    value execute_impl(context & ctx) const override {
        value val = inner->execute(ctx);
        const auto * kwarg = cast_val<value_kwarg>(val);
        const value & plain = kwarg != nullptr ? kwarg->val : val;
        if (is_val<value_int>(plain) && (plain->as_int() > limit || plain->as_int() < -limit)) {
            throw exceeded{"the number " + std::to_string(plain->as_int()) + " is too large here"};
        }
        if (text_length(plain) > static_cast<uint64_t>(limit)) {
            throw exceeded{"a text is too long here"};
        }
        return val;
    }
};

// `range`, which makes a list of any length, and `strftime_now`, which asks the clock.
struct checked_identifier : identifier {
    using identifier::identifier;
    value execute_impl(context & ctx) const override {
        value known = identifier::execute_impl(ctx);
        const auto * func = cast_val<value_func>(known);
        if (func == nullptr || func->arg0 || !ctx.get_val(val)->is_undefined()) {
            return known; // a variable of the template hides the function
        }
        const func_handler original = func->val_func;
        if (val == "range") {
            return mk_val<value_func>(val, [original](const func_args & args) -> value {
                for (const auto & arg : args.get_args()) {
                    if (is_val<value_int>(arg) && (arg->as_int() > max_int_argument || arg->as_int() < -max_int_argument)) {
                        throw exceeded{"range() is called with the number " + std::to_string(arg->as_int())};
                    }
                }
                value list = original(args);
                budget::current().spend(list->as_array().size() / 8);
                return list;
            });
        }
        return mk_val<value_func>(val, [original](const func_args & args) -> value {
            args.ctx.current_time = budget::current().now;
            return original(args);
        });
    }
};

struct checked_binary : binary_expression {
    using binary_expression::binary_expression;
    value execute_impl(context & ctx) const override {
        if (op.value == "*") {
            value left_val = left->execute(ctx);
            value right_val = right->execute(ctx);
            const uint64_t length = text_length(left_val) + text_length(right_val);
            for (const value & factor : {left_val, right_val}) {
                if (length > 0 && is_val<value_int>(factor) && factor->as_int() > 0) {
                    // each repetition also keeps a piece of its own
                    const auto times = static_cast<uint64_t>(factor->as_int());
                    if (times > max_string_bytes / (length + 64)) {
                        throw exceeded{"the template repeats a text " + std::to_string(times) + " times"};
                    }
                    budget::current().charge(length * times);
                }
            }
            binary_expression known(op, std::make_unique<known_value>(left_val), std::make_unique<known_value>(right_val));
            return known.execute_impl(ctx);
        }
        value result = binary_expression::execute_impl(ctx);
        if (is_val<value_array>(result)) {
            budget::current().charge(result->as_array().size() * 64);
        } else if (is_val<value_string>(result)) {
            budget::current().charge(text_length(result) + result->val_str.parts.size() * 64);
        }
        return result;
    }
};

struct checked_test : test_expression {
    using test_expression::test_expression;
    value execute_impl(context & ctx) const override {
        const auto * call = cast_stmt<call_expression>(test);
        const auto * name = call != nullptr ? cast_stmt<identifier>(call->callee) : nullptr;
        if (name != nullptr && name->val == "divisibleby") {
            for (const auto & arg : call->args) {
                value divisor = arg->execute(ctx);
                // the smallest integer divided by -1 traps like a division by zero
                if (is_val<value_int>(divisor) && (divisor->as_int() == 0 || divisor->as_int() == -1)) {
                    throw exceeded{"divisibleby(" + std::to_string(divisor->as_int()) + ") traps"};
                }
            }
        }
        return test_expression::execute_impl(ctx);
    }
};

struct checked_call : call_expression {
    using call_expression::call_expression;
    value execute_impl(context & ctx) const override {
        func_args given(ctx);
        for (const auto & arg : args) {
            given.push_back(measured(arg->execute(ctx)));
        }
        value function = callee->execute(ctx);
        const auto * func = cast_val<value_func>(function);
        if (func == nullptr) {
            throw std::runtime_error("Callee is not a function: got " + function->type());
        }
        if (func->arg0) {
            check_builtin(func->name, func->arg0, given.get_args());
        }
        value result = func->invoke(given);
        if (func->arg0 && func->name == "append") {
            try {
                measured(func->arg0);
            } catch (const exceeded &) {
                func->arg0->val_arr.clear(); // or a list that holds itself would never be freed
                throw;
            }
        }
        return result;
    }
};

struct checked_filter : filter_expression {
    using filter_expression::filter_expression;
    value execute_impl(context & ctx) const override {
        const auto * call = cast_stmt<call_expression>(filter);
        const auto * name = cast_stmt<identifier>(call != nullptr ? call->callee : filter);
        if (name == nullptr || !is_sized(name->val)) {
            return filter_expression::execute_impl(ctx);
        }
        value input = operand->execute(ctx);
        std::vector<value> values;
        statements given;
        if (call != nullptr) {
            for (const auto & arg : call->args) {
                values.push_back(measured(arg->execute(ctx)));
                given.push_back(std::make_unique<known_value>(values.back()));
            }
        }
        check_builtin(name->val, input, values);
        statement_ptr same = std::make_unique<identifier>(name->val);
        if (call != nullptr) {
            same = std::make_unique<call_expression>(std::move(same), std::move(given));
        }
        filter_expression known(std::make_unique<known_value>(input), std::move(same));
        return known.execute_impl(ctx);
    }
};

struct checked_set : set_statement {
    using set_statement::set_statement;
    value execute_impl(context & ctx) const override {
        value result = set_statement::execute_impl(ctx);
        if (const auto * member = cast_stmt<member_expression>(assignee)) {
            value object = member->object->execute(ctx);
            const auto * name = cast_stmt<identifier>(member->property);
            auto * holder = cast_val<value_object>(object);
            if (name != nullptr && holder != nullptr && holds_values(holder->at(name->val))) {
                try {
                    measured(object);
                } catch (const exceeded &) {
                    holder->insert(name->val, mk_val<value_none>()); // an object that holds itself is never freed
                    throw;
                }
            }
        }
        return result;
    }
};

// Replaces *slot by a node of type Checked made from the parts of the node that is there.
template <typename Checked, typename... Parts> static void replace(statement_ptr & slot, Parts &&... parts) {
    auto checked = std::make_unique<Checked>(std::forward<Parts>(parts)...);
    checked->pos = slot->pos;
    slot = std::move(checked);
}

template <typename Wrapper, typename... Rest> static void wrap(statement_ptr & slot, Rest... rest) {
    if (slot) {
        const size_t pos = slot->pos;
        slot = std::make_unique<Wrapper>(std::move(slot), rest...);
        slot->pos = pos;
    }
}

class installer {
  public:
    void body(statements & list) {
        for (auto & stmt : list) {
            node(stmt);
            if (prints_value(stmt)) {
                wrap<measured_expression>(stmt);
            }
        }
    }

  private:
    size_t depth = 0;

    static bool prints_value(const statement_ptr & stmt) {
        return is_stmt<identifier>(stmt) || is_stmt<member_expression>(stmt) || is_stmt<ternary_expression>(stmt) ||
               is_stmt<call_expression>(stmt) || is_stmt<select_expression>(stmt) || is_stmt<array_literal>(stmt) ||
               is_stmt<tuple_literal>(stmt) || is_stmt<binary_expression>(stmt) || is_stmt<filter_expression>(stmt);
    }

    void list(statements & nodes) {
        for (auto & stmt : nodes) {
            node(stmt);
        }
    }

    void frame(statements & nodes) {
        body(nodes);
        statements framed;
        auto whole = std::make_unique<frame_statement>(std::move(nodes));
        whole->pos = 0;
        framed.push_back(std::move(whole));
        nodes = std::move(framed);
    }

    void node(statement_ptr & slot) {
        if (!slot) {
            return;
        }
        if (++depth > max_tree_depth) {
            throw exceeded{"the template nests deeper than " + std::to_string(max_tree_depth) + " levels"};
        }
        descend(slot);
        depth--;
    }

    void descend(statement_ptr & slot) {
        if (auto * n = cast_stmt<if_statement>(slot)) {
            node(n->test);
            body(n->body);
            body(n->alternate);
        } else if (auto * n = cast_stmt<for_statement>(slot)) {
            node(n->iterable);
            if (auto * select = cast_stmt<select_expression>(n->iterable)) {
                wrap<step_expression>(select->test);
            }
            body(n->body);
            body(n->default_block);
            auto step = std::make_unique<step_statement>();
            step->pos = n->pos;
            n->body.insert(n->body.begin(), std::move(step));
        } else if (auto * n = cast_stmt<macro_statement>(slot)) {
            list(n->args);
            frame(n->body);
        } else if (auto * n = cast_stmt<call_statement>(slot)) {
            if (auto * call = cast_stmt<call_expression>(n->call)) {
                list(call->args);
            }
            list(n->caller_args);
            frame(n->body);
        } else if (auto * n = cast_stmt<filter_statement>(slot)) {
            if (auto * call = cast_stmt<call_expression>(n->filter)) {
                list(call->args);
                for (auto & arg : call->args) {
                    wrap<small_expression>(arg, int64_t{256});
                }
            }
            body(n->body);
        } else if (auto * n = cast_stmt<set_statement>(slot)) {
            node(n->val);
            body(n->body);
            wrap<measured_expression>(n->val);
            if (auto * member = cast_stmt<member_expression>(n->assignee)) {
                node(member->object);
            }
            replace<checked_set>(slot, std::move(n->assignee), std::move(n->val), std::move(n->body));
        } else {
            descend_expression(slot);
        }
    }

    void descend_expression(statement_ptr & slot) {
        if (auto * n = cast_stmt<member_expression>(slot)) {
            node(n->object);
            if (n->computed) {
                node(n->property);
            }
        } else if (auto * n = cast_stmt<call_expression>(slot)) {
            node(n->callee);
            list(n->args);
            replace<checked_call>(slot, std::move(n->callee), std::move(n->args));
        } else if (auto * n = cast_stmt<filter_expression>(slot)) {
            node(n->operand);
            if (auto * call = cast_stmt<call_expression>(n->filter)) {
                list(call->args);
            }
            replace<checked_filter>(slot, std::move(n->operand), std::move(n->filter));
        } else if (auto * n = cast_stmt<test_expression>(slot)) {
            node(n->operand);
            if (auto * call = cast_stmt<call_expression>(n->test)) {
                list(call->args);
            }
            const bool negate = n->negate;
            replace<checked_test>(slot, std::move(n->operand), negate, std::move(n->test));
        } else if (auto * n = cast_stmt<binary_expression>(slot)) {
            node(n->left);
            node(n->right);
            if (n->op.value == "*" || n->op.value == "+" || n->op.value == "~") {
                replace<checked_binary>(slot, token(n->op), std::move(n->left), std::move(n->right));
            }
        } else if (auto * n = cast_stmt<identifier>(slot)) {
            if (n->val == "range" || n->val == "strftime_now") {
                replace<checked_identifier>(slot, std::string(n->val));
            }
        } else if (auto * n = cast_stmt<slice_expression>(slot)) {
            for (auto * part : {&n->start_expr, &n->stop_expr, &n->step_expr}) {
                node(*part);
                wrap<small_expression>(*part, int64_t{1} << 31);
            }
        } else {
            descend_plain(slot);
        }
    }

    // Nodes that are harmless themselves.
    void descend_plain(statement_ptr & slot) {
        if (auto * n = cast_stmt<array_literal>(slot)) {
            list(n->val);
        } else if (auto * n = cast_stmt<tuple_literal>(slot)) {
            list(n->val);
        } else if (auto * n = cast_stmt<object_literal>(slot)) {
            for (auto & pair : n->val) {
                node(pair.first);
                node(pair.second);
            }
        } else if (auto * n = cast_stmt<select_expression>(slot)) {
            node(n->lhs);
            node(n->test);
        } else if (auto * n = cast_stmt<unary_expression>(slot)) {
            node(n->argument);
        } else if (auto * n = cast_stmt<keyword_argument_expression>(slot)) {
            node(n->val);
        } else if (auto * n = cast_stmt<spread_expression>(slot)) {
            node(n->argument);
        } else if (auto * n = cast_stmt<ternary_expression>(slot)) {
            node(n->condition);
            node(n->true_expr);
            node(n->false_expr);
        }
    }
};

void install(program & prog) {
    installer().body(prog.body);
}

} // namespace lrs::limits
