import { describe, expect, it } from 'vitest';
import { judge } from '../floors.js';
import { gatewayFloors, gatewayRatios } from './floors.js';

const figures = {
  stockLargeRps: 100,
  stockLargeP99Ms: 500,
  stockSmallRps: 1_000,
  httpLargeRps: 800,
  httpLargeP99Ms: 80,
  httpSmallRps: 7_000,
  inProcessLargeRps: 1_500,
  inProcessLargeP99Ms: 110,
  hiveLargeRps: 400,
  hiveSharedLargeRps: 3_000,
  httpSharedLargeRps: 15_000,
};

describe('the ratios of the gateway benchmark', () => {
  it('divide what was measured by the rival of the same run', () => {
    expect(gatewayRatios(figures)).toMatchObject({
      httpVsStock: 8,
      inProcessVsStock: 15,
      httpVsHiveGateway: 2,
      sharedVsHiveGatewayShared: 5,
      smallVsStock: 7,
      p99HttpVsStock: 0.16,
      p99InProcessVsStock: 0.22,
    });
  });

  it('take the worse of the two p99', () => {
    expect(gatewayRatios(figures).p99VsStock).toBe(0.22);
    expect(judge(gatewayFloors, gatewayRatios(figures)).missed).toEqual(['p99VsStock']);
  });

  it('leave out what took no part', () => {
    expect(gatewayRatios({ httpLargeRps: 800, stockLargeRps: 100 })).toEqual({ httpVsStock: 8 });
    expect(judge(gatewayFloors, {})).toEqual({ lines: {}, missed: [] });
  });
});
