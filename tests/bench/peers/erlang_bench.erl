%% SPDX-License-Identifier: Apache-2.0
%%
%% The figures of local_bench.cpp from Erlang/OTP processes: a message is one integer, everything about the VM
%% is its default except for the number of schedulers and of processes, which erlang_bench.sh chooses.
-module(erlang_bench).
-export([main/1, idle/0]).

-define(BATCH, 1000).
-define(RING, 1000).
-define(TIMERS, 1000000).

main([Name, Count]) ->
    measure(Name, list_to_integer(Count)),
    halt(0).

measure("versions", _) ->
    io:format("{\"erlang\":\"OTP ~s (erts ~s, ~s)\"}~n",
              [erlang:system_info(otp_release), erlang:system_info(version), erlang:system_info(emu_flavor)]);
measure("spawn", Asked) ->
    Count = default(Asked, 1000000),
    {Seconds, _} = crowd(Count),
    figure("1/s", Count / Seconds, "~b processes, each in receive", [Count]);
measure("bytes_per_worker", Asked) ->
    Count = default(Asked, 1000000),
    {_, Bytes} = crowd(Count),
    figure("B", Bytes / Count, "~b processes, each in receive, from RSS", [Count]);
measure("ping_pong", Asked) ->
    Count = default(Asked, 2000000),
    figure("1/s", in_process([], fun() -> ping(Count) end), "round trips, two processes, an integer", []);
measure("one_way", Asked) ->
    Count = default(Asked, 5000000),
    %% One scheduler takes turns as a shard does; with more of them both ends should have something to do.
    Window = case erlang:system_info(schedulers) of 1 -> ?BATCH; _ -> 8 * ?BATCH end,
    figure("1/s", in_process([], fun() -> tell(Count, Window, []) end),
           "two processes, an integer, window of ~b", [Window]);
measure("cross_shard", Asked) ->
    Count = default(Asked, 5000000),
    Window = 8 * ?BATCH,
    figure("1/s", in_process([{scheduler, 1}], fun() -> tell(Count, Window, [{scheduler, 2}]) end),
           "two processes bound to a scheduler each, an integer, window of ~b", [Window]);
measure("ring", Asked) ->
    Count = default(Asked, 4000000),
    figure("1/s", in_process([], fun() -> ring(Count) end), "an integer among ~b processes", [?RING]);
measure("timer", Asked) ->
    Count = default(Asked, 3000000),
    figure("ns", in_process([], fun() -> start_and_cancel(Count) end),
           "start_timer and cancel_timer beside ~b", [?TIMERS]);
measure("idle_cpu", Asked) ->
    Milliseconds = default(Asked, 10000),
    timer:sleep(200),
    Before = cpu_ns(),
    timer:sleep(Milliseconds),
    figure("%", (cpu_ns() - Before) / (Milliseconds * 1.0e4), "of a core over ~b ms, an idle VM", [Milliseconds]);
measure(Name, _) ->
    io:format(standard_error, "erlang_bench does not know ~s~n", [Name]),
    halt(1).

default(0, Otherwise) -> Otherwise;
default(Count, _) -> Count.

figure(Unit, Value, Conditions, Values) ->
    io:format("{\"unit\":\"~s\",\"value\":~.6f,\"conditions\":\"~s, +S ~b\"}~n",
              [Unit, float(Value), io_lib:format(Conditions, Values), erlang:system_info(schedulers)]).

%% What Function gives in a new process, whose heap and mailbox hold nothing else.
in_process(Options, Function) ->
    {Process, Monitor} = spawn_opt(fun() -> exit({gives, Function()}) end, [monitor | Options]),
    receive {'DOWN', Monitor, process, Process, {gives, Value}} -> Value end.

seconds_since(Begin) ->
    erlang:convert_time_unit(erlang:monotonic_time() - Begin, native, nanosecond) / 1.0e9.

idle() -> receive stop -> ok end.

%% Ends when every process waits in its receive.
crowd(Count) ->
    Before = resident_bytes(),
    Begin = erlang:monotonic_time(),
    spawn_idle(Count),
    until_all_wait(),
    {seconds_since(Begin), resident_bytes() - Before}.

spawn_idle(0) -> ok;
spawn_idle(Count) ->
    spawn(?MODULE, idle, []),
    spawn_idle(Count - 1).

until_all_wait() ->
    case erlang:statistics(total_active_tasks) of
        1 -> ok;  % this process
        _ -> erlang:yield(), until_all_wait()
    end.

ping(Count) ->
    Self = self(),
    Other = spawn_link(fun() -> answer(Self) end),
    Begin = erlang:monotonic_time(),
    ping(Count, Other),
    Count / seconds_since(Begin).

ping(0, _) -> ok;
ping(Count, Other) ->
    Other ! Count,
    receive Count -> ping(Count - 1, Other) end.

answer(From) ->
    receive Number -> From ! Number, answer(From) end.

%% Messages a second until the listener has taken the last; it gives a receipt for each batch.
tell(Asked, Window, Options) ->
    Count = (Asked + ?BATCH - 1) div ?BATCH * ?BATCH,
    Self = self(),
    Listener = spawn_opt(fun() -> listen(Self, ?BATCH, 0) end, [link | Options]),
    Begin = erlang:monotonic_time(),
    tell_batches(Listener, Count, Window),
    Count / seconds_since(Begin).

tell_batches(Listener, Left, Window) when Left > 0, Window > 0 ->
    tell_batch(Listener, ?BATCH),
    tell_batches(Listener, Left - ?BATCH, Window - ?BATCH);
tell_batches(Listener, Left, Window) when Left > 0 ->
    receive receipt -> tell_batches(Listener, Left, Window + ?BATCH) end;
tell_batches(Listener, 0, _) ->
    Listener ! {sum, self()},
    await_sum().

tell_batch(_, 0) -> ok;
tell_batch(Listener, Left) ->
    Listener ! 1,
    tell_batch(Listener, Left - 1).

listen(Teller, 0, Sum) ->
    Teller ! receipt,
    listen(Teller, ?BATCH, Sum);
listen(Teller, Left, Sum) ->
    receive
        Number when is_integer(Number) -> listen(Teller, Left - 1, Sum + Number);
        {sum, Teller} -> Teller ! {sum, Sum}
    end.

await_sum() ->
    receive
        receipt -> await_sum();
        {sum, Sum} -> Sum
    end.

%% Hops a second; the measuring process is one of the ring.
ring(Asked) ->
    Count = (Asked + ?RING - 1) div ?RING * ?RING,
    Next = lists:foldl(fun(_, Following) -> spawn_link(fun() -> pass(Following) end) end, self(),
                       lists:seq(2, ?RING)),
    Begin = erlang:monotonic_time(),
    circulate(Next, 0, Count),
    Count / seconds_since(Begin).

circulate(_, Count, Count) -> ok;
circulate(Next, Hops, Count) ->
    Next ! Hops + 1,
    receive Returned -> circulate(Next, Returned, Count) end.

pass(Next) ->
    receive Hops -> Next ! Hops + 1, pass(Next) end.

start_and_cancel(Count) ->
    start_timers(?TIMERS),
    Begin = erlang:monotonic_time(),
    start_and_cancel_each(Count),
    seconds_since(Begin) * 1.0e9 / Count.

start_timers(0) -> ok;
start_timers(Count) ->
    erlang:start_timer(delay(Count), self(), due),
    start_timers(Count - 1).

start_and_cancel_each(0) -> ok;
start_and_cancel_each(Count) ->
    erlang:cancel_timer(erlang:start_timer(delay(Count), self(), due)),
    start_and_cancel_each(Count - 1).

%% Between one minute and an hour, in no order.
delay(Number) -> 60000 + Number * 7919 rem 3540000.

resident_bytes() ->
    {ok, Text} = file:read_file("/proc/self/statm"),
    list_to_integer(lists:nth(2, string:lexemes(binary_to_list(Text), " "))) * 4096.

%% Of all threads, from the kernel.
cpu_ns() ->
    {ok, Threads} = file:list_dir("/proc/self/task"),
    lists:sum([thread_cpu_ns("/proc/self/task/" ++ Thread ++ "/schedstat") || Thread <- Threads]).

thread_cpu_ns(Path) ->
    {ok, Text} = file:read_file(Path),
    list_to_integer(hd(string:lexemes(binary_to_list(Text), " "))).
