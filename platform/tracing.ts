/**
 * OpenTelemetry traces, switched on by the usual OTEL_ variables alone. Nothing of it is loaded while they are silent, and
 * spans are handed on by hand: there is no context that the hot path would have to carry along.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Attributes, Context, SpanContext, SpanKind } from '@opentelemetry/api';
import type { SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { Logger } from './logging.js';

/** A step of a request. Attributes never hold what a user wrote into an operation: no literals, no variables. */
export interface TraceSpan {
  /** A step within this one. `client`: it waits for another process. */
  child(name: string, kind: 'internal' | 'client', attributes?: Attributes): TraceSpan;
  set(attribute: string, value: string | number | boolean): void;
  /** Marks the step as failed. @param code an error code, never a message */
  fail(code: string): void;
  end(): void;
  /** What a call that belongs to this step sends along: W3C trace context. */
  headers(): Record<string, string>;
}

export interface Tracing {
  /** Begins the span of a request that came in, as part of the caller's trace where it names one. */
  startRequest(name: string, headers: IncomingHttpHeaders, attributes: Attributes): TraceSpan;
  /** Sends what waits and ends, within the exporter's time limit. */
  close(): Promise<void>;
}

/** Version 00 ends with the flags; later ones may go on. */
const traceparent =
  /^(?:00(?=.{53}$)|(?!00|ff)[0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
const maxTracestateLength = 512;

/** The caller's trace context as it came, to be sent on where we do not trace; undefined where there is no valid one. */
export function passedOnTrace(headers: IncomingHttpHeaders): Record<string, string> | undefined {
  const { traceparent: parent, tracestate: state } = headers;
  if (typeof parent !== 'string' || !traceparent.test(parent)) return undefined;
  return typeof state === 'string' && state.length <= maxTracestateLength
    ? { traceparent: parent, tracestate: state }
    : { traceparent: parent };
}

/** What the variables ask for; undefined for no traces. */
export function wantedExporters(env: NodeJS.ProcessEnv): string[] | undefined {
  const value = (name: string) => env[name]?.trim() || undefined;
  const exporters = value('OTEL_TRACES_EXPORTER');
  const endpoint = value('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') ?? value('OTEL_EXPORTER_OTLP_ENDPOINT');
  if (value('OTEL_SDK_DISABLED')?.toLowerCase() === 'true') return undefined;
  // The specification's default is to send to localhost; here it takes a variable that says so.
  if (exporters === undefined && endpoint === undefined) return undefined;
  const wanted = (exporters ?? 'otlp').split(',').map((name) => name.trim());
  return wanted.includes('none') ? undefined : wanted;
}

/**
 * Starts to trace where the process's OTEL_ variables ask for it; an exporter that does not exist is logged and left out, since
 * such variables are often set for many programs at once.
 * @param serviceName used where OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES give none
 */
export async function startTracing(serviceName: string, logger: Logger): Promise<Tracing | undefined> {
  const wanted = wantedExporters(process.env);
  if (!wanted) return undefined;
  const [api, sdk, { detectResourcesSync, envDetectorSync, Resource }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace-base'),
    import('@opentelemetry/resources'),
  ]);
  const report = (level: 'error' | 'warn') => (message: string) => logger[level]({ otel: message }, 'tracing');
  const silent = () => {};
  api.diag.setLogger(
    { error: report('error'), warn: report('warn'), info: silent, debug: silent, verbose: silent },
    { logLevel: api.DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  const exporters = (await Promise.all(wanted.map((name) => loadExporter(name, logger)))).filter(
    (one) => one !== undefined,
  );
  if (exporters.length === 0) return undefined;
  const provider = new sdk.BasicTracerProvider({
    resource: Resource.default()
      .merge(new Resource({ 'service.name': serviceName }))
      .merge(detectResourcesSync({ detectors: [envDetectorSync] })),
    spanProcessors: exporters.map((exporter) => new sdk.BatchSpanProcessor(exporter)),
  });
  const tracer = provider.getTracer('harborwatch');

  const wrap = (name: string, kind: SpanKind, attributes: Attributes | undefined, parent: Context): TraceSpan => {
    const span = tracer.startSpan(name, { kind, ...(attributes && { attributes }) }, parent);
    const own = api.trace.setSpan(parent, span);
    return {
      child: (childName, childKind, childAttributes) =>
        wrap(childName, childKind === 'client' ? api.SpanKind.CLIENT : api.SpanKind.INTERNAL, childAttributes, own),
      set: (attribute, value) => void span.setAttribute(attribute, value),
      fail(code) {
        span.setAttribute('error.type', code);
        span.setStatus({ code: api.SpanStatusCode.ERROR });
      },
      end: () => span.end(),
      headers() {
        const { traceId, spanId, traceFlags, traceState } = span.spanContext();
        const state = traceState?.serialize();
        const flags = traceFlags.toString(16).padStart(2, '0');
        return { traceparent: `00-${traceId}-${spanId}-${flags}`, ...(state ? { tracestate: state } : {}) };
      },
    };
  };
  return {
    startRequest(name, headers, attributes) {
      const remote = remoteContext(headers, api.createTraceState);
      const parent = remote ? api.trace.setSpanContext(api.ROOT_CONTEXT, remote) : api.ROOT_CONTEXT;
      return wrap(name, api.SpanKind.SERVER, attributes, parent);
    },
    close: () => provider.shutdown(),
  };
}

function remoteContext(
  headers: IncomingHttpHeaders,
  createTraceState: typeof import('@opentelemetry/api').createTraceState,
): SpanContext | undefined {
  const passed = passedOnTrace(headers);
  const [, traceId, spanId, flags] = (passed && traceparent.exec(passed.traceparent!)) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  const state = passed?.tracestate;
  return {
    traceId,
    spanId,
    // Of the flags, only the lowest is known: sampled.
    traceFlags: Number.parseInt(flags, 16) & 1,
    isRemote: true,
    ...(state === undefined ? {} : { traceState: createTraceState(state) }),
  };
}

async function loadExporter(name: string, logger: Logger): Promise<SpanExporter | undefined> {
  if (name === 'console') return new (await import('@opentelemetry/sdk-trace-base')).ConsoleSpanExporter();
  if (name !== 'otlp') {
    logger.error(
      { exporter: name },
      'OTEL_TRACES_EXPORTER names an exporter that we do not have: use otlp, console or none',
    );
    return undefined;
  }
  const { OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: ofTraces, OTEL_EXPORTER_OTLP_PROTOCOL: ofAll } = process.env;
  const protocol = ofTraces?.trim() || ofAll?.trim() || 'http/protobuf';
  if (protocol === 'http/protobuf')
    return new (await import('@opentelemetry/exporter-trace-otlp-proto')).OTLPTraceExporter();
  if (protocol === 'http/json')
    return new (await import('@opentelemetry/exporter-trace-otlp-http')).OTLPTraceExporter();
  logger.error({ protocol }, 'OTEL_EXPORTER_OTLP_PROTOCOL is not one that we speak: use http/protobuf or http/json');
  return undefined;
}
