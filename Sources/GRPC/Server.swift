import CGRPC

/// A gRPC server on one Unix socket.
///
/// One thread, the poller, takes all calls in; `.inline` handlers begin on it, `.pool` handlers run on the pool. The
/// caller's deadline, cancellation and death cancel the handler's task.
package final class Server: Sendable {
  private let routes: [Route]
  private let pool: any TaskExecutor
  private let options: ServerOptions
  private let openContexts = OpenContexts()
  private let state = Guarded(State())

  /// May cross threads: the C functions used with it after the start are called under `state`'s lock, while `handle`
  /// is set, and the poller unsets it before it frees the server.
  private struct Handle: @unchecked Sendable {
    let pointer: OpaquePointer
  }

  private struct State {
    var handle: Handle?
    var lock: SocketLock?
    var wasStarted = false
    var isStopping = false
    /// Those who wait in `shutdown`.
    var waiting: [UnsafeContinuation<Void, Never>] = []

    mutating func claimStart() -> Bool {
      defer { wasStarted = true }
      return !wasStarted
    }
  }

  package init(routes: [Route], pool: any TaskExecutor, options: ServerOptions = .init()) {
    self.routes = routes
    self.pool = pool
    self.options = options
  }

  /// How many calls have not let go of their context. Zero when the server is idle.
  package var openCalls: Int { openContexts.count.load(ordering: .relaxed) }

  /// Listens on `endpoint` and serves. Replaces the socket of a dead server; throws `EndpointError` when another server
  /// lives there, when something that is no socket lies there, or when the system refuses.
  package func start(on endpoint: Endpoint) throws {
    guard state.withLock({ $0.claimStart() }) else { throw EndpointError("a server starts only once") }
    let file = try SocketFile(endpoint)
    let lock = try SocketLock(path: file.resolvedPath, directory: options.lockDirectory)
    try file.removeStale()

    // The C side keeps the server alive until `onStopped`.
    let context = Unmanaged.passRetained(self)
    let server = create(context.toOpaque())
    do {
      try file.create(mode: options.socketMode) { cgrpc_server_listen(server, endpoint.address) }
      // Set before the poller runs, so that `onStopped` finds it.
      state.withLock { state in
        state.handle = Handle(pointer: server)
        state.lock = lock
      }
      guard cgrpc_server_start(server) else {
        throw EndpointError("cannot create the server's thread: \(systemError())")
      }
    } catch {
      state.withLock { state in
        state.handle = nil
        state.lock = nil
      }
      cgrpc_server_discard(server)
      context.release()
      throw error
    }
  }

  /// Stops in an orderly way: no new connections and calls (callers see UNAVAILABLE, or CANCELLED while the news is on
  /// its way to them), those under way may finish within `grace`, then they are cancelled. Returns when all have ended, or `ServerOptions.cancelledHandlerLimit` after they were cancelled. May be
  /// called again, also meanwhile: the shortest grace counts.
  package func shutdown(grace: Duration) async {
    let isRunning = state.withLock { state in
      guard let handle = state.handle else { return false }
      if !state.isStopping { cgrpc_server_shutdown(handle.pointer) }
      state.isStopping = true
      return true
    }
    guard isRunning else { return }
    let timer = Task {
      try await Task.sleep(for: grace)
      self.cancelAll()
      try await Task.sleep(for: self.options.cancelledHandlerLimit)
      self.resumeWaiting()
    }
    await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
      let isOver = state.withLock { state in
        if state.handle != nil { state.waiting.append(continuation) }
        return state.handle == nil
      }
      if isOver { continuation.resume() }
    }
    timer.cancel()
  }

  private func cancelAll() {
    state.withLock { state in
      if let handle = state.handle { cgrpc_server_cancel_all(handle.pointer) }
    }
  }

  private func resumeWaiting() {
    let waiting = state.withLock { state in
      let waiting = state.waiting
      state.waiting = []
      return waiting
    }
    for continuation in waiting { continuation.resume() }
  }

  private func create(_ context: UnsafeMutableRawPointer) -> OpaquePointer {
    let callbacks = cgrpc_server_callbacks(
      on_call: { context, call, method in
        guard let context, let call else { return nil }
        let server = Unmanaged<Server>.fromOpaque(context).takeUnretainedValue()
        return server.accept(CallContext.Handle(pointer: call), method).toOpaque()
      },
      on_cancel: { token in CallContext.of(token)?.takeUnretainedValue().cancel() },
      on_sent: { token, ok in CallContext.of(token)?.takeUnretainedValue().sent(ok) },
      on_closed: { token in CallContext.of(token)?.takeRetainedValue().closed() },
      on_stopped: { context in
        guard let context else { return }
        Unmanaged<Server>.fromOpaque(context).takeRetainedValue().stopped()
      })
    return withCStrings(routes.map(\.path)) { paths in
      withArguments(options.arguments) { arguments in
        cgrpc_server_create(callbacks, context, paths.baseAddress, paths.count, arguments.baseAddress, arguments.count)
      }
    }
  }

  /// On the poller. The result is the C side's reference to the context, given back in `on_closed`.
  private func accept(_ handle: CallContext.Handle, _ method: Int) -> Unmanaged<CallContext> {
    let route = routes[method]
    let context = CallContext(handle, method: route.path, openContexts: openContexts)
    context.run(route.dispatch, pool: pool) { await route.answer(context) }
    return Unmanaged.passRetained(context)
  }

  private func stopped() {
    state.withLock { state in
      state.handle = nil
      state.lock = nil
    }
    resumeWaiting()
  }
}

extension CallContext {
  fileprivate static func of(_ token: UnsafeMutableRawPointer?) -> Unmanaged<CallContext>? {
    token.map { Unmanaged.fromOpaque($0) }
  }
}
