/** Random histories of jobs on a real database, held against a model after every step. */
import fc from 'fast-check';
import { afterAll, beforeAll, test } from 'vitest';
import { setLimits } from '../../tests/setup/quotas.js';
import { histories } from './model/commands.js';
import { Model, mayRun } from './model/model.js';
import { openScene, type Scene } from './model/scene.js';
import { createJobsTest, type JobsTest } from './testing.js';

const isDeep = Boolean(process.env.HARBORWATCH_DEEP);
const numRuns = isDeep ? 2_000 : 40;

let t: JobsTest;
let scene: Scene;
beforeAll(async () => {
  t = await createJobsTest();
  await setLimits(t, t.orgs[0], { runningJobs: mayRun[0] });
  scene = await openScene(t);
});
afterAll(async () => {
  await scene?.close();
  await t.close();
});

test(
  'jobs do in any history what the model does, and keep their invariants after every step',
  async () => {
    const property = fc.asyncProperty(histories(40), async (commands) => {
      await scene.sql('DELETE FROM app.jobs');
      await fc.asyncModelRun(() => ({ model: new Model(), real: scene }), commands);
    });
    await fc.assert(property, { numRuns });
  },
  isDeep ? 3_600_000 : 300_000,
);
