import Glibc

/// The thread behind `HTTPServer`. All state belongs to the thread that runs it.
final class HTTPLoop {
  private enum Stage {
    case reading([UInt8])
    case handling(HTTPRequest.Method)
    case writing([UInt8])
    /// The answer is out: what the client still sends is read away, so that the close does not reset the connection
    /// before the client has read the answer.
    case draining
  }

  private struct Connection {
    let id: UInt64
    let descriptor: Int32
    var stage: Stage
    /// On the monotonic clock, in milliseconds.
    var deadline: Int64

    var events: Int16 {
      switch stage {
      case .reading, .draining: Int16(POLLIN)
      case .writing: Int16(POLLOUT)
      case .handling: 0
      }
    }
  }

  private let listener: Int32
  /// The ends that others write to and that this thread reads from.
  private let wake: (write: Int32, read: Int32)
  private let limits: HTTPServer.Limits
  private let mailbox: Mailbox
  private let handler: HTTPServer.Handler
  private var connections: [Connection] = []
  private var lastID: UInt64 = 0

  init(
    listener: Int32, wake: (write: Int32, read: Int32), limits: HTTPServer.Limits, mailbox: Mailbox,
    handler: @escaping HTTPServer.Handler
  ) {
    self.listener = listener
    self.wake = wake
    self.limits = limits
    self.mailbox = mailbox
    self.handler = handler
  }

  func run() {
    var isRunning = true
    while isRunning {
      var watched = [
        pollfd(fd: wake.read, events: Int16(POLLIN), revents: 0),
        pollfd(fd: connections.count < limits.connections ? listener : -1, events: Int16(POLLIN), revents: 0),
      ]
      watched += connections.map { pollfd(fd: $0.descriptor, events: $0.events, revents: 0) }
      let ready = poll(&watched, nfds_t(watched.count), timeout())
      guard ready >= 0 || errno == EINTR else { break }
      if ready > 0 {
        for (index, event) in watched.dropFirst(2).enumerated() where event.revents != 0 { advance(index) }
        if watched[1].revents != 0 { accept() }
      }
      isRunning = takeAnswers()
      expire()
      closeDone()
    }
    for connection in connections { close(connection.descriptor) }
    close(listener)
    mailbox.close {
      close(wake.write)
      close(wake.read)
    }
  }

  private func accept() {
    while connections.count < limits.connections {
      let descriptor = Glibc.accept(listener, nil, nil)
      guard descriptor >= 0 else {
        // Out of descriptors: the listener stays readable, so do not spin on it.
        if errno == EMFILE || errno == ENFILE { usleep(50_000) }
        return
      }
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
      _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
      lastID += 1
      connections.append(
        Connection(
          id: lastID, descriptor: descriptor, stage: .reading([]), deadline: now() + limits.clientMilliseconds))
    }
  }

  private func advance(_ index: Int) {
    switch connections[index].stage {
    case .reading(let bytes): read(index, after: bytes)
    case .writing(let bytes): write(index, bytes)
    case .draining: drain(index)
    // The client hung up or sends on: either way the answer is made first.
    case .handling: break
    }
  }

  private func read(_ index: Int, after earlier: [UInt8]) {
    var bytes = earlier
    var chunk = [UInt8](repeating: 0, count: 4096)
    while bytes.count < HTTPRequest.maximumHeaderBytes {
      let count = recv(connections[index].descriptor, &chunk, chunk.count, 0)
      if count < 0, errno == EINTR { continue }
      if count < 0, errno == EAGAIN { break }
      guard count > 0 else {
        connections[index].deadline = 0
        return
      }
      bytes += chunk[..<count]
    }
    switch HTTPRequest.parse(bytes) {
    case .incomplete:
      connections[index].stage = .reading(bytes)
    case .refused(let response):
      answer(index, response.bytes(withBody: true))
    case .request(let request):
      connections[index].stage = .handling(request.method)
      connections[index].deadline = now() + limits.handlerMilliseconds
      let (id, wake, mailbox, handler) = (connections[index].id, wake.write, mailbox, handler)
      Task { mailbox.deliver(await handler(request), to: id, waking: wake) }
    }
  }

  private func answer(_ index: Int, _ bytes: [UInt8]) {
    connections[index].stage = .writing(bytes)
    connections[index].deadline = now() + limits.clientMilliseconds
    write(index, bytes)
  }

  private func write(_ index: Int, _ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        send(connections[index].descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count < 0, errno == EINTR { continue }
      if count < 0, errno == EAGAIN {
        connections[index].stage = .writing(Array(rest))
        return
      }
      guard count > 0 else {
        connections[index].deadline = 0
        return
      }
      rest = rest.dropFirst(count)
    }
    shutdown(connections[index].descriptor, Int32(SHUT_WR))
    connections[index].stage = .draining
    connections[index].deadline = now() + min(limits.clientMilliseconds, 1_000)
  }

  private func drain(_ index: Int) {
    var chunk = [UInt8](repeating: 0, count: 4096)
    for _ in 0..<16 {
      let count = recv(connections[index].descriptor, &chunk, chunk.count, 0)
      if count < 0, errno == EAGAIN { return }
      if count <= 0 { break }
    }
    connections[index].deadline = 0
  }

  private func takeAnswers() -> Bool {
    var bytes = [UInt8](repeating: 0, count: 64)
    while recv(wake.read, &bytes, bytes.count, 0) > 0 {}
    let (answers, isStopped) = mailbox.take()
    for (id, response) in answers {
      guard let index = connections.firstIndex(where: { $0.id == id }),
        case .handling(let method) = connections[index].stage
      else { continue }
      answer(index, response.bytes(withBody: method == .get))
    }
    return !isStopped
  }

  /// Clients that are too slow get 408 while they send; handlers that are too slow get 503 in their place.
  private func expire() {
    let time = now()
    for index in connections.indices where connections[index].deadline <= time && connections[index].deadline > 0 {
      switch connections[index].stage {
      case .reading: answer(index, HTTPResponse(408, "too slow\n").bytes(withBody: true))
      case .handling: answer(index, HTTPResponse(503, "the answer took too long\n").bytes(withBody: true))
      case .writing, .draining: connections[index].deadline = 0
      }
    }
  }

  private func closeDone() {
    connections.removeAll { connection in
      guard connection.deadline == 0 else { return false }
      close(connection.descriptor)
      return true
    }
  }

  /// Milliseconds until the next deadline, or for ever.
  private func timeout() -> Int32 {
    guard let next = connections.map(\.deadline).min() else { return -1 }
    return Int32(clamping: max(0, next - now()) + 1)
  }

  private func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }
}
